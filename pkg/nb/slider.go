package nb

import (
	"fmt"
	"html"
	"os"
	"os/signal"
	"time"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/dom"
	"github.com/janpfeifer/gonb/gonbui/protocol"
	"github.com/janpfeifer/gonb/gonbui/widgets"
)

// HeadlessEnv, set to anything but 0, tells cells that nobody can move a widget.
const HeadlessEnv = "ILLM_HEADLESS"

const (
	answerTime = 6 * time.Second        // for the front end to show a widget and answer
	restTime   = 300 * time.Millisecond // without a movement, after which the page is asked for the position
	askTime    = time.Second            // between two such questions
	idleTime   = 10 * time.Minute       // without a movement, after which the cell ends
)

// Interactive reports whether widgets can work: a notebook that is not run by a
// runner.
func Interactive() bool {
	h := os.Getenv(HeadlessEnv)
	return gonbui.IsNotebook && (h == "" || h == "0")
}

// Slider shows draw(value) and a slider below it; moving the slider redraws in
// place. The cell stays busy until "done" is pressed, the kernel is interrupted,
// or ten minutes pass without a movement; its last picture stays.
//
// Values are whole numbers from least to most. While draw works, only the newest
// position is kept. An error of draw is shown in the picture's place. Without a
// front end that answers (headless runs, VS Code) draw is called once, for
// value, and a line says how to change the value instead.
func Slider(label string, least, most, value int, draw func(value int) (any, error)) {
	if least > most || value < least || value > most {
		Check(fmt.Errorf("nb: slider %q: expected least ≤ value ≤ most, found %d, %d, %d", label, least, value, most))
	}
	const place = "slider"
	show := func(v int) {
		item, err := draw(v)
		if err == nil {
			err = Update(place, item)
		}
		if err != nil {
			Check(Update(place, err))
		}
	}
	show(value)
	hint := fmt.Sprintf("The slider works in JupyterLab while this cell runs. Here it stays at %s = %d: change the value in the parameters cell instead.", label, value)
	if !Interactive() {
		Show(hint)
		return
	}
	w, ok := newWidget(label, least, most, value)
	if !ok {
		Show(hint)
		return
	}
	if w.at != value { // moved while the page was being set up
		show(w.at)
	}
	interrupt := make(chan os.Signal, 1)
	signal.Notify(interrupt, os.Interrupt)
	defer signal.Stop(interrupt)
	w.follow(least, most, show, interrupt)
}

// follow shows the positions that the slider takes until the cell is to end.
//
// GoNB hands each position over in a goroutine of its own, so two that come close
// together may change places, or one be lost. While the slider rests, the page is asked
// again and again where it stands: the answer comes as one more movement.
func (w widget) follow(least, most int, show func(int), interrupt <-chan os.Signal) {
	idle, rest := time.NewTimer(idleTime), time.NewTimer(restTime)
	defer idle.Stop()
	defer rest.Stop()
	for current := w.at; ; {
		select {
		case v, open := <-w.moves:
			if !open {
				return
			}
			if v = newest(w.moves, v); v != current && v >= least && v <= most {
				current = v
				show(v)
				idle.Reset(idleTime)
				rest.Reset(restTime)
			}
		case <-rest.C:
			w.ask()
			rest.Reset(askTime) // the last movement may have come to the page after this, and not have come here
		case <-w.finished:
			return
		case <-interrupt:
			return
		case <-idle.C:
			return
		}
	}
}

// newest drains the positions that came while the last one was drawn.
func newest(moves <-chan int, v int) int {
	for {
		select {
		case next, open := <-moves:
			if !open {
				return v
			}
			v = next
		default:
			return v
		}
	}
}

// widget is a slider on the page.
type widget struct {
	at              int // its position
	moves, finished <-chan int
	ask             func() // has the page send the position once more, as a move
}

// newWidget puts slider and button on the page. ok is false when the front end
// does not answer in time; the goroutine that waits for it then ends with the cell.
func newWidget(label string, least, most, value int) (w widget, ok bool) {
	ready := make(chan widget, 1)
	go func() {
		box := dom.CreateTransientDiv()
		id := "illm-slider-" + gonbui.UniqueId()
		dom.Append(box, fmt.Sprintf(`<label for="%s">%s %d </label>`, id, html.EscapeString(label), least))
		s := widgets.Slider(least, most, value).WithHtmlId(id).AppendTo(box).Done()
		moves := s.Listen().C
		dom.Append(box, fmt.Sprintf(`<span> %d &nbsp; </span>`, most))
		b := widgets.Button("done").AppendTo(box).Done()
		ask := func() {
			gonbui.SendData(&protocol.DisplayData{Data: map[protocol.MIMEType]any{
				protocol.MIMECommValue: &protocol.CommValue{Address: s.Address(), Request: true}}})
		}
		ready <- widget{s.Value(), moves, b.Listen().C, ask}
	}()
	select {
	case w = <-ready:
		return w, w.at >= least && w.at <= most
	case <-time.After(answerTime):
		return w, false
	}
}
