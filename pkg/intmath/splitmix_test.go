package intmath

import "testing"

// The first numbers from state 0 and 1234567, as the generator's published implementations give them.
func TestSplitMix64(t *testing.T) {
	for _, c := range []struct {
		state uint64
		want  []uint64
	}{
		{0, []uint64{0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f}},
		{1234567, []uint64{6457827717110365317, 3203168211198807973, 9817491932198370423}},
	} {
		state := c.state
		for i, want := range c.want {
			if got := SplitMix64(&state); got != want {
				t.Errorf("state %d, number %d: %#x, want %#x", c.state, i, got, want)
			}
		}
	}
}
