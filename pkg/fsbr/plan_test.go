package fsbr

import "testing"

// TestPlan: the arithmetic for LLaMA-7B, by hand, without weights.
func TestPlan(t *testing.T) {
	o := options(t, openBackend(t, "go:ops_sequential"), "llama")
	o.Source, o.Batch, o.Loss.Aug = nil, 1, false
	o.Config.Hidden, o.Config.FFN, o.Config.Heads, o.Config.KVHeads, o.Config.HeadDim = 4096, 11008, 32, 32, 128
	o.Config.MaxContext = 2048
	o.Windows = make([][]int32, 128)
	for i := range o.Windows {
		o.Windows[i] = make([]int32, 2048)
	}
	p, err := MakePlan(o)
	if err != nil {
		t.Fatal(err)
	}
	const weights = 4 * (4*4096*4096 + 3*4096*11008 + 2*4096)
	if p.Weights != weights || p.Table != 4<<30 || p.Tables != 3 || p.Batch != 32<<20 {
		t.Errorf("%+v, want a block of %d, tables of %d", p, int64(weights), int64(4<<30))
	}
	if p.Device != p.Files+4*p.Table || p.Files < weights+4*p.Batch || p.Files > weights+5*p.Batch || p.Step != 0 {
		t.Errorf("%+v", p)
	}
	o.Loss.Aug = true
	if p, err = MakePlan(o); err != nil || p.Tables != 4 {
		t.Errorf("with a second target: %+v, %v", p, err)
	}
	o.Batch = 3
	if _, err := MakePlan(o); err == nil {
		t.Error("batches that do not fit the windows have a plan")
	}
}
