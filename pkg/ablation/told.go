package ablation

import (
	"fmt"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/illm-go/illm/pkg/chart"
)

// confidence is the level of the intervals by which a paired difference is told from nothing.
const confidence = 0.95

// told says which way a mean of n paired differences is told from nothing: +1 above, −1 below, 0 not told. It is Student's t
// test, two-sided: |mean| above t(n−1)·se. With two windows that is 12.7 standard errors, with eight 2.4, with many 1.96, so
// that few windows have to differ plainly. A single window, or windows without any spread, have no error to be told by.
//
// Each comparison is tested by itself: where nothing differs, about one in twenty is told by chance.
func told(mean, se float64, n int) int {
	if n < 2 || !(se > 0) {
		return 0
	}
	reach := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(n - 1)}.Quantile((1+confidence)/2) * se
	switch {
	case mean > reach:
		return 1
	case mean < -reach:
		return -1
	}
	return 0
}

// difference is a paired difference of a row from its counterpart: its mean, in nats a token, and the standard error over so
// many windows.
type difference struct {
	mean, se float64
	windows  int
}

func (d difference) told() int { return told(d.mean, d.se, d.windows) }

// thousandths prints a difference of divergences in nats/1000, its sign included.
func (d difference) thousandths() string {
	v := chart.Value{Y: 1000 * d.mean, Err: 1000 * d.se}
	if v.Y > 0 {
		return "+" + v.String()
	}
	return v.String()
}

// windowRange is a range of numbers of windows.
type windowRange struct{ least, most int }

func (r *windowRange) add(n int) {
	if r.least == 0 || n < r.least {
		r.least = n
	}
	r.most = max(r.most, n)
}

// String says "8 windows" or "4 to 16 windows".
func (r windowRange) String() string {
	if r.least == r.most {
		return counted(r.most, "window")
	}
	return fmt.Sprintf("%d to %d windows", r.least, r.most)
}

// counted is so many of a thing.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// others begins a sentence about so many: "the other one is", "the other 9 are".
func others(n int) string {
	if n == 1 {
		return "the other one is"
	}
	return fmt.Sprintf("the other %d are", n)
}
