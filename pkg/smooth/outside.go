package smooth

import (
	"fmt"

	"github.com/illm-go/illm/pkg/model"
)

// outside returns a tensor outside the blocks under a residual rotation.
func (a *Applied) outside(name string, dst []float32) ([]float32, error) {
	c := &a.inner
	switch name {
	case model.Embedding, model.Positions, model.Head:
		from := name
		if name == model.Head && c.TiedHead {
			from = model.Embedding
		}
		w, err := a.src.Float32(from, dst)
		if err != nil {
			return nil, err
		}
		if len(w)%c.Hidden != 0 {
			return nil, fmt.Errorf("smooth: %s: expected rows of %d values, found %d values: the weights do not belong to this configuration", name, c.Hidden, len(w))
		}
		var gamma []float64
		if name == model.Head {
			if gamma, err = a.read(model.FinalNorm, c.Hidden); err != nil {
				return nil, err
			}
		}
		row := make([]float64, c.Hidden)
		for r := 0; r < len(w); r += c.Hidden {
			for i := range row {
				row[i] = float64(w[r+i])
			}
			rotateRows(a.residual, row, gamma)
			narrow(w[r:r:r+c.Hidden], row)
		}
		return w, nil
	case model.FinalNorm:
		w := make([]float64, c.Hidden)
		for i := range w {
			w[i] = 1
		}
		return narrow(dst, w), nil
	case "model.norm.bias":
		return a.finalBeta(dst)
	}
	return a.src.Float32(name, dst)
}

// finalBeta is β of the last norm. The head has no bias to take W·β, so that β' = R·(β/γ) stays in the norm:
// W·diag(γ)·Rᵀ·β' = W·β.
func (a *Applied) finalBeta(dst []float32) ([]float32, error) {
	gamma, err := a.read(model.FinalNorm, a.cfg.Hidden)
	if err != nil {
		return nil, err
	}
	beta, err := a.read("model.norm.bias", a.cfg.Hidden)
	if err != nil {
		return nil, err
	}
	for i, g := range gamma {
		if g == 0 && beta[i] != 0 {
			return nil, fmt.Errorf("smooth: rotation residual: the final norm has γ = 0 and β = %v at channel %d: its β cannot be rotated: switch residual off", beta[i], i)
		}
		if g != 0 {
			beta[i] /= g
		}
	}
	a.residual.apply(beta)
	return narrow(dst, beta), nil
}
