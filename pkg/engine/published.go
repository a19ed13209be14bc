package engine

import (
	"fmt"

	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/quant"
)

// loadResidual takes the steps of the residual stream of mode published.
func (m *Model) loadResidual(steps []int32) error {
	published := m.spec.Mode == quant.Published
	switch {
	case !published && steps == nil:
		return nil
	case !published:
		return fmt.Errorf("mode %s: its residual stream is int32: expected no Options.Residual, which is for mode %s", m.spec.Mode, quant.Published)
	case steps == nil:
		return fmt.Errorf("mode %s: its residual stream has 16 bits a channel: give Options.Residual their steps, as package catalog does", quant.Published)
	}
	if err := di.CheckResidualSteps(steps, m.hidden); err != nil {
		return err
	}
	m.steps16 = steps
	return nil
}

// inSteps brings row i of the residual stream to the codes of mode published, if that is the mode, and returns how many
// channels were cut.
func (s *Session) inSteps(i int) int {
	if s.m.steps16 == nil {
		return 0
	}
	return di.NarrowResidual(s.residual(i), s.m.steps16)
}
