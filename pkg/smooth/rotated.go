package smooth

// size gives the channels of a linear or norm.
func (a *Applied) size(linear string) (out, in int) {
	c := &a.cfg
	switch {
	case isHeadNorm(linear):
		return c.HeadDim, 1
	case isNorm(linear):
		return c.Hidden, 1
	case linear == "self_attn.o_proj":
		return c.Hidden, c.Heads * c.HeadDim
	case linear == "mlp.down_proj":
		return c.Hidden, c.FFN
	}
	return linearRows(*c, linear), c.Hidden
}

// rotated returns the weight after the offline rotations.
func (a *Applied) rotated(layer int, linear string) ([]float64, error) {
	out, in := a.size(linear)
	if isNorm(linear) {
		if a.residual != nil && !isHeadNorm(linear) { // γ went into the linears
			w := make([]float64, out)
			for i := range w {
				w[i] = 1
			}
			return w, nil
		}
		return a.read(layerName(layer, linear, ".weight"), out)
	}
	w, err := a.read(layerName(layer, linear, ".weight"), out*in)
	if err != nil {
		return nil, err
	}
	before := normBefore(linear)
	if a.residual != nil && before != "" {
		gamma, err := a.read(layerName(layer, before, ".weight"), in)
		if err != nil {
			return nil, err
		}
		rotateRows(a.residual, w, gamma)
	}
	if r := a.perHead(linear); r != nil {
		r.columns(w, in)
	}
	if a.valueOut != nil && linear == "self_attn.o_proj" {
		a.valueOut.pieces(w)
	}
	if a.residual != nil && before == "" {
		a.residual.columns(w, in)
	}
	return w, nil
}

// perHead is the offline rotation of the outputs of a linear, head by head.
func (a *Applied) perHead(linear string) *rotor {
	switch linear {
	case "self_attn.v_proj":
		return a.valueOut
	case "self_attn.q_proj", "self_attn.k_proj":
		return a.queryKey
	}
	return nil
}

// rotateRows sets the rows of w to W·diag(γ)·Rᵀ; γ nil is 1.
func rotateRows(r *rotor, w, gamma []float64) {
	for ; len(w) > 0; w = w[r.h.n:] {
		row := w[:r.h.n]
		for i, g := range gamma {
			row[i] *= g
		}
		r.apply(row)
	}
}
