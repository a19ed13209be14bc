package catalog

import (
	"context"
	"encoding/hex"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/illm-go/illm/pkg/corpus"
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/simd/cpu"
)

// shippedGolden holds, for a shipped model and a recipe, the identity of the artefact and the chained hash of the logits
// behind the first 96 tokens of Opticks. A change means other bits: ptq.Semantics has to rise with it.
const shippedGolden = `
tiny-llama w8a8 33f6113892df3e97cc43a60cbfdae932a617e7b4024793b9dec2bfac7a141ae2 62c5976f7e329e21b1629ddc31809ab0ee0e903a5330de159b424a5e8128a4f1
tiny-llama w4a4 1ae7694858e2a0a45df7dbc21543cf7a652d074f46f5a3a2fada6e8ed7a10c94 283d9b03812dac0f906356e1bc659fe8146a55ea76e9fe23f5c9b51a2d884eb0
tiny-opt w8a8 7a6e8553303e24d15eefff331431a57542e09dd546fea74b0d9066e664532b2e af7b5438c030fd9d1d902bc92155ee74acf6065859cca5cee8e710347be8e520
tiny-opt w4a4 6722f7a18e4f0cf0cb7cae373cba6a583f5cb0a5a2771132cc0762ca0d9147d7 e197b9f62bb220f694700f652fbd690b3e4ebf32f7e48c1e0c8364dfab5dfba4
tiny-llama+outliers w8a8 bd9430266ba4fe089cf1a6fa6e56c9538b4f3e34a74d761f803a18deeb26fd2f d9310354fbdf5a9a365d7efa4622fa5630786b5e192a739578d16efc3a6403da
tiny-llama+outliers w4a4 d082fa5a7d5895ceb5806e0571b809b37004935dfe51cee9f59270bcc02c781d 69dfac54affbf61e47b3bcfb8fbc725a47c6ee713a6d4f94572d0b3a570ddc60
tiny-llama w4a4-fsbr 2acbfcab892f3ded603e6346b9be4ea598108f43de6ff16870a0d5922c7ab688 28ed098c8872b28b63baa708f1d4a421b74101e6b655c99a932afd1ef399513f
tiny-opt w4a4-fsbr 96f4b274b76365b46019cd6e20413611d7a7cd352dd88c108f88ec13818c69a5 e610be56c5876a05f6ff92483b5c4cb8975197254acfbdaa9862bbd0527b85ed
tiny-llama+outliers w4a4-fsbr e39e0ede45ee6911c080a44e85a5cdc197f74df8d54764172a67cebdb7a58239 dea4959d4c2abc7a2a935166aa2693a2caeb7124685b861092782601398dc6c3
`

// TestShippedGolden makes the artefacts of the shipped models, of weights alone and of weights and shipped factors, with the
// generic code and with the machine's, and runs them on every instruction set.
func TestShippedGolden(t *testing.T) {
	book, err := corpus.Load(t.Context(), corpus.Opticks)
	if err != nil {
		t.Fatal(err)
	}
	limit := cpu.Limit()
	defer cpu.SetLimit(limit)
	names, recipes := []string{"tiny-llama", "tiny-opt", "tiny-llama+outliers"}, []string{"w8a8", "w4a4", "w4a4-fsbr"}
	if testing.Short() { // the generic code takes seconds, under the race detector minutes
		names, recipes = []string{"tiny-opt"}, []string{"w4a4"}
	}
	want := strings.Split(strings.TrimSpace(shippedGolden), "\n")
	for _, name := range names {
		for _, recipe := range recipes {
			e, err := Open(t.Context(), name, Options{})
			if err != nil {
				t.Fatal(err)
			}
			ids, err := e.Encode(string(book.Bytes[:2000]))
			if err != nil {
				t.Fatal(err)
			}
			spec, err := quant.NewSpec(recipe, "", "")
			if err != nil {
				t.Fatal(err)
			}
			t.Setenv("ILLM_CACHE", t.TempDir())
			cpu.SetLimit(cpu.Generic)
			plain, err := e.Integer(t.Context(), spec)
			cpu.SetLimit(limit)
			if err != nil {
				t.Fatal(err)
			}
			t.Setenv("ILLM_CACHE", t.TempDir())
			m, err := e.Integer(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			if plain.Artifact().ID != m.Artifact().ID {
				t.Errorf("%s %s: the generic code makes the artefact %s, the machine's %s", name, recipe, plain.Artifact().ID, m.Artifact().ID)
			}
			var lines []string
			for _, set := range []cpu.Set{cpu.Generic, cpu.AVX2, cpu.AVX512, cpu.AVX512VNNI} {
				cpu.SetLimit(set)
				lines = append(lines, strings.Join([]string{name, recipe, m.Artifact().ID, logitHash(t, m, ids[:96])}, " "))
				if lines[len(lines)-1] != lines[0] {
					t.Errorf("%v: %s, expected %s", set, lines[len(lines)-1], lines[0])
				}
			}
			cpu.SetLimit(limit)
			if !slices.Contains(want, lines[0]) {
				t.Errorf("%s: not among\n%s", lines[0], strings.Join(want, "\n"))
			}
			e.Close()
		}
	}
}

func logitHash(t *testing.T, m *engine.Model, ids []int32) string {
	t.Helper()
	s, err := m.NewSession(len(ids))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var mu sync.Mutex
	rows := make([]engine.Logits, len(ids))
	err = s.AppendAll(context.Background(), ids, func(i int, l engine.Logits) error {
		l.T = append([]int64(nil), l.T...)
		mu.Lock()
		rows[i] = l
		mu.Unlock()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var h di.LogitHash
	for _, l := range rows {
		if err := h.Add(l.T, l.M, l.K); err != nil {
			t.Fatal(err)
		}
	}
	sum := h.Sum()
	return hex.EncodeToString(sum[:])
}
