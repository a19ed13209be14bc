package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/illm-go/illm/pkg/ablation"
	"github.com/illm-go/illm/pkg/baseline"
	"github.com/illm-go/illm/pkg/bench"
)

// studyExponentials is the name of bench --study that times the exponentials of ablation B. Its records are of another
// form than the other studies', so that it is not one of "all".
const studyExponentials = "exponentials"

// withoutExponentials takes studyExponentials out of a list of studies and says whether it was there.
func withoutExponentials(names []string) ([]string, bool) {
	rest := slices.DeleteFunc(slices.Clone(names), func(s string) bool { return s == studyExponentials })
	return rest, len(rest) < len(names)
}

// exponentials runs it and prints nanoseconds an element by row length.
func (a *app) exponentials(cmd *cobra.Command, r *bench.Runner, lengths []int, runs int) error {
	recs, err := r.ExpSpeed(cmd.Context(), bench.ExpRequest{Lengths: lengths, Runs: runs})
	for _, rec := range recs {
		if e := a.record(rec); e != nil {
			return e
		}
	}
	if err != nil {
		return asUsage(err)
	}
	if !a.json {
		fmt.Fprintf(a.stdout, "\n%s, ns an element, codes of 16 bits\n%s\n", studyExponentials, ablation.ExpTimes(r.Store, baseline.FormDirect, 16))
		for _, bits := range []int{16, 8} {
			fmt.Fprintf(a.stdout, "\nthe softmax up to its numerators, codes of %d bits\n%s\n", bits, ablation.ExpTimes(r.Store, baseline.FormSoftmax, bits))
		}
	}
	return nil
}
