package nb

import (
	"os"
	"slices"
	"testing"
	"time"
)

// Two positions that change places on their way do not leave the wrong picture behind: the page is asked, and answers.
func TestSliderEndsWhereItStands(t *testing.T) {
	moves, finished, interrupt := make(chan int, 8), make(chan int), make(chan os.Signal)
	asks := make(chan bool, 100)
	const stands = 20
	w := widget{at: 15, moves: moves, finished: finished, ask: func() {
		asks <- true
		moves <- stands
	}}
	var shown []int
	ended := make(chan bool)
	go func() {
		w.follow(4, 24, func(v int) { shown = append(shown, v) }, interrupt)
		close(ended)
	}()
	moves <- stands
	moves <- 19 // came later, was earlier
	moves <- 99 // out of the range, from nowhere
	time.Sleep(4 * restTime)
	finished <- 1
	<-ended
	if len(shown) == 0 || shown[len(shown)-1] != stands || slices.Contains(shown, 99) {
		t.Errorf("shown %v, want the last to be %d", shown, stands)
	}
	if n := len(asks); n < 1 || n > 3 {
		t.Errorf("the page was asked %d times, want once for each rest", n)
	}
}

// A movement that is lost on its way, after the page was asked already, is seen a little later.
func TestSliderFindsALostMove(t *testing.T) {
	moves, finished, interrupt := make(chan int, 8), make(chan int), make(chan os.Signal)
	asked := 0
	w := widget{at: 15, moves: moves, finished: finished, ask: func() {
		if asked++; asked == 1 {
			moves <- 8 // the mouse is still on its way to 6
		} else {
			moves <- 6
		}
	}}
	shown := make(chan int, 8)
	ended := make(chan bool)
	go func() {
		w.follow(4, 24, func(v int) { shown <- v }, interrupt)
		close(ended)
	}()
	moves <- 8
	for _, want := range []int{8, 6} {
		select {
		case v := <-shown:
			if v != want {
				t.Errorf("shown %d, want %d", v, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%d was never shown", want)
		}
	}
	finished <- 1
	<-ended
}
