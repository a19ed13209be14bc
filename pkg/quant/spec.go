package quant

import (
	"fmt"
	"strings"

	"github.com/illm-go/illm/pkg/dyadic"
)

// Mode selects the variants of the operators (table "Modes" of the package documentation).
type Mode string

const (
	ILLM      Mode = "illm"      // the default: DI-Exp, 8-bit scores and SwiGLU operands
	Precise   Mode = "precise"   // DI-Exp+, 16-bit scores and SwiGLU operands
	Published Mode = "published" // the paper's literal formulas
)

// ParseMode turns a name into a Mode; "" is the default.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(strings.ToLower(s)); m {
	case "":
		return ILLM, nil
	case ILLM, Precise, Published:
		return m, nil
	}
	return "", fmt.Errorf("quant: mode %q: unknown%s: use %q, %q or %q", s, meant(strings.ToLower(s), []string{string(ILLM), string(Precise), string(Published)}), ILLM, Precise, Published)
}

// Clip is the clip value c of DI-ClippedSoftmax in thousandths; 0 means no clip.
type Clip int32

// DefaultClip is the paper's c = 15.
const DefaultClip Clip = 15000

// maxClip bounds c at 10^6: no score range comes near it, and thousandths stay in int32.
const maxClip = 1000_000_000

// ParseClip reads a positive decimal with at most three fraction digits, or "none"; "" is the default.
func ParseClip(s string) (Clip, error) {
	t := strings.ToLower(strings.TrimSpace(s))
	switch t {
	case "":
		return DefaultClip, nil
	case "none":
		return 0, nil
	}
	whole, frac, dot := strings.Cut(t, ".")
	if len(frac) > 3 {
		if isDigits(whole) && isDigits(frac) {
			return 0, fmt.Errorf("quant: clip %q: %d fraction digits, expected at most 3", s, len(frac))
		}
		return 0, clipError(s)
	}
	if !isDigits(whole) || dot && !isDigits(frac) {
		return 0, clipError(s)
	}
	v := int64(0)
	for _, c := range whole + (frac + "000")[:3] {
		v = v*10 + int64(c-'0')
		if v > maxClip {
			return 0, fmt.Errorf("quant: clip %q: too large, expected at most %d: use \"none\" for no clip", s, maxClip/1000)
		}
	}
	if v == 0 {
		return 0, clipError(s)
	}
	return Clip(v), nil
}

func clipError(s string) error {
	return fmt.Errorf("quant: clip %q: expected a positive decimal such as 15 or 12.5, or \"none\"", s)
}

func isDigits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}

// String returns the shortest form that ParseClip reads back.
func (c Clip) String() string {
	if c == 0 {
		return "none"
	}
	s := fmt.Sprintf("%d.%03d", c/1000, c%1000)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// Scale returns (c_m, c_k) = Fit(1000c, 1000), or false for no clip.
func (c Clip) Scale() (dyadic.Scale, bool) {
	if c <= 0 {
		return dyadic.Scale{}, false
	}
	return dyadic.Fit(uint64(c), 1000, dyadic.Bits), true
}

// Spec is everything that fixes the bits of a forward pass beside the model itself.
type Spec struct {
	Recipe       Recipe `json:"recipe"`
	Clip         Clip   `json:"clip"` // thousandths
	Mode         Mode   `json:"mode"`
	MantissaBits int    `json:"mantissa_bits"` // B, of the scales of quantised rows
	ProbBits     int    `json:"prob_bits"`     // p
}

// NewSpec parses the three names and fills in B = 16, in mode published 8, and p = 15, where that mode has 7 of its own.
func NewSpec(recipe, clip, mode string) (Spec, error) {
	r, err := ParseRecipe(recipe)
	if err != nil {
		return Spec{}, err
	}
	c, err := ParseClip(clip)
	if err != nil {
		return Spec{}, err
	}
	m, err := ParseMode(mode)
	if err != nil {
		return Spec{}, err
	}
	s := Spec{Recipe: r, Clip: c, Mode: m, MantissaBits: dyadic.Bits, ProbBits: 15}
	if m == Published {
		s.MantissaBits = 8
	}
	return s, nil
}

// Validate reports the first setting that no operator accepts.
func (s Spec) Validate() error {
	if err := s.Recipe.Validate(); err != nil {
		return fmt.Errorf("quant: %w", err)
	}
	if err := s.Clip.Check(); err != nil {
		return err
	}
	if _, err := ParseMode(string(s.Mode)); err != nil {
		return err
	}
	if s.Mode == "" {
		return fmt.Errorf("quant: mode is empty: use %q or %q", ILLM, Precise)
	}
	if s.MantissaBits < 4 || s.MantissaBits > dyadic.Bits {
		return fmt.Errorf("quant: mantissa of %d bits: expected 4…%d", s.MantissaBits, dyadic.Bits)
	}
	if s.ProbBits != 15 {
		return fmt.Errorf("quant: probabilities of %d bits: expected 15", s.ProbBits)
	}
	return nil
}

// Effective returns the widths after the mode had its say: precise makes scores and SwiGLU operands 16.
func (s Spec) Effective() Recipe {
	r := s.Recipe
	if s.Mode == Precise {
		r.Score, r.GLU = 16, 16
	}
	return r
}
