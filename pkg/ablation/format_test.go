package ablation

import "testing"

func TestFour(t *testing.T) {
	for v, want := range map[float64]string{26.2: "26.20", 2061.4: "2061", 888068: "8.881e+05", 9.99996: "10.00", 9999.6: "1.000e+04"} {
		if got := four(v); got != want {
			t.Errorf("%g: %q, want %q", v, got, want)
		}
	}
}
