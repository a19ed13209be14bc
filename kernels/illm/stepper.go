package main

import (
	"github.com/spf13/cobra"

	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/quant"
)

// stepper opens a session of the recipe's engine, integer or float.
func (a *app) stepper(cmd *cobra.Command, s *settings, e *catalog.Entry, ids []int32, n int, sampler *di.Sampler) (*stepper, error) {
	if quant.IsFloat(s.recipe) {
		m, err := e.Float()
		if err != nil {
			return nil, err
		}
		session, err := m.NewSession(len(ids) + n)
		if err != nil {
			return nil, err
		}
		return &stepper{eos: e.EOS(), close: func() {}, next: func(ids []int32) (int32, error) {
			logits, err := session.Append(ids)
			if err != nil {
				return 0, err
			}
			best := 0
			for i, v := range logits {
				if v > logits[best] {
					best = i
				}
			}
			return int32(best), cmd.Context().Err()
		}}, nil
	}
	spec, err := s.spec(s.recipe)
	if err != nil {
		return nil, err
	}
	m, err := e.Integer(cmd.Context(), spec)
	if err != nil {
		return nil, err
	}
	session, err := m.NewSession(len(ids) + n)
	if err != nil {
		return nil, err
	}
	return &stepper{eos: e.EOS(), close: session.Close, next: func(ids []int32) (int32, error) {
		l, err := session.AppendLast(cmd.Context(), ids)
		if err != nil {
			return 0, err
		}
		return int32(sampler.Sample(l.T, l.M, l.K)), nil
	}}, nil
}
