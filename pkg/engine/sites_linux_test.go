package engine_test

import (
	"runtime"
	"slices"
	"testing"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/engine"
)

// BenchmarkSites is what rotations and ratios cost a prefill of 512 tokens through six random blocks of SmolLM2's shape, on
// one worker: processor time for a token, the least of all runs, variants taking turns, and what each adds to the one without.
func BenchmarkSites(b *testing.B) {
	d := shaped("64")
	d.Layers, d.Hidden, d.Heads, d.KVHeads, d.HeadDim, d.FFN, d.Vocab, d.MaxContext, d.TiedHead = 6, 576, 9, 3, 64, 1536, 1024, 512, true
	for _, recipe := range []string{"w8a8", "w4a4"} {
		b.Run(recipe, func(b *testing.B) {
			names := []string{"none", "qk", "out", "down", "all", "ratios"}
			var sessions []*engine.Session
			for _, name := range names {
				a := d.artefact(b, recipe, "illm", nil, func(h *artifact.Header) {
					all := name == "all"
					h.Rotations = artifact.Rotations{QK: all || name == "qk", Out: all || name == "out", Down: all || name == "down"}
					if name == "ratios" {
						ratios(b, h)
					}
				})
				s, err := load(b, a, 1).NewSession(512)
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				sessions = append(sessions, s)
			}
			ids := d.ids(512)
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			times := make([][]float64, len(names))
			for b.Loop() {
				for i, s := range sessions {
					s.Reset()
					start := threadTime()
					if _, err := s.AppendLast(ctx, ids); err != nil {
						b.Fatal(err)
					}
					times[i] = append(times[i], (threadTime() - start).Seconds())
				}
			}
			b.ReportMetric(0, "ns/op")
			base := slices.Min(times[0])
			b.ReportMetric(1e9*base/float64(len(ids)), "cpu-ns/token")
			for i, name := range names[1:] {
				b.ReportMetric(100*(slices.Min(times[i+1])/base-1), name+"-%")
			}
		})
	}
}
