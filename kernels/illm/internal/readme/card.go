package readme

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/illm-go/illm/pkg/record"
)

// Weights is what a card says of the files.
type Weights struct {
	Name       string
	Kind       string // "LLaMA" or "OPT"
	Parameters int64
	Layers     int
	Hidden     int
	Heads      int
	KVHeads    int
	FFN        int
	Vocab      int
	Context    int
	Source     string // identity of the model, as records have it
	Variant    string // name of the variant with outliers
	Uneven     string // its identity
}

// dataText says what the models of this repository were trained on.
const dataText = "English Wikipedia, articles of 2015 (`train/enwiki2015.jsonl.xz`, a sample of 45 %, about half of it spaced as WikiText is, without the articles that overlap WikiText-2; one article in a hundred is held out for validation)"

// Card is the README of a model's folder, which holds its files and its training record.
func Card(dir fs.FS, t *Training, w Weights, store *record.Store) (string, error) {
	raw, err := fs.ReadFile(dir, "model.safetensors")
	if err != nil {
		return "", err
	}
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("# %s\n", w.Name)
	p("A language model of %s's type with %.2f million weights, trained from nothing by this repository so that a clone has something to run: %d layers, hidden size %d, %d heads (%d for keys and values), feed-forward size %d, vocabulary %d (byte-level BPE), context %d, embedding and head shared. The layout is that of the Hugging Face hub, the weights are 16-bit floats.",
		w.Kind, float64(w.Parameters)/1e6, w.Layers, w.Hidden, w.Heads, w.KVHeads, w.FFN, w.Vocab, w.Context)
	p("\n**Made for** trying out and testing integer inference: a model that is real enough for perplexities to mean something and small enough to be measured in seconds. **Not for** anything that its text would be used for. It writes plausible English without sense, knows little and gets that wrong, repeats the biases of its source, and was tuned to no task and for no safety.")
	p("\n## Data and licence\n")
	data := t.Data
	if data == "" {
		data = dataText
	}
	p("Trained on %s. The text is by Wikipedia's authors and licensed under CC BY-SA 3.0 (creativecommons.org/licenses/by-sa/3.0); the weights are derived from it and are given out under the same terms.", data)
	p("\n## Quality\n")
	p("%s", cardTable(store, w.Name, w.Source))
	p("Whole windows of %d tokens, each from an empty context. Perplexity per token depends on the vocabulary; per word (of the raw text) and per byte it can be compared with other models. Recipes: weight bits, then activation bits; weights rounded to nearest, without smoothing.", w.Context)
	if table := cardTable(store, w.Variant, w.Uneven); strings.Contains(table, "w8a8") {
		p("\n`%s` is the same float function with the uneven channels of a large model (`model.InjectOutliers`), to see what they do to quantisation:\n\n%s", w.Variant, strings.TrimRight(table, "\n"))
	}
	p("\n## Training\n")
	p("%s", grid([]string{"", ""}, trainingRows(t)))
	if len(t.Curve) >= 2 {
		p("![Loss over the tokens seen](training.svg)\n")
	}
	p("`training.json` is the record of the run: settings, data, curve. To train it again, with a folder DIR for the tokens and the GPU named by `GOMLX_BACKEND=xla:cuda`:\n")
	p("    go run ./kernels/illm train prepare --tokenizer data/models/%s/tokenizer.json --out DIR\n    %s\n", w.Name, t.command())
	if t.Same {
		p("On the same backend that gives the same bits.")
	} else {
		p("The run let the backend choose its kernels by timing them: the command gives a model as good, not the same bits (`--deterministic` gives equal bits from run to run).")
	}
	p("\nSHA-256 of `model.safetensors`:\n\n    %x\n", sha256.Sum256(raw))
	p("This card is written by `illm readme` from `training.json` and the records.")
	return b.String(), nil
}

// cardTable is the quality of one model by recipe, on both texts.
func cardTable(store *record.Store, model, source string) string {
	head := []string{"widths"}
	type text struct{ corpus, title string }
	texts := []text{{"wikitext2", "WikiText-2"}, {"c4", "C4"}}
	at := map[string]map[string]*record.Record{}
	for _, c := range texts {
		at[c.corpus] = widest(store, model, c.corpus, source)
	}
	texts = slices.DeleteFunc(texts, func(t text) bool { return len(at[t.corpus]) == 0 })
	for _, c := range texts {
		n := 0
		for _, r := range at[c.corpus] {
			n = len(r.Windows)
		}
		head = append(head, fmt.Sprintf("%s (%d windows): PPL per token", c.title, n), "per word", "bits per byte")
	}
	var rows [][]string
	for _, recipe := range recipes {
		row, known := []string{recipe}, false
		for _, c := range texts {
			r := at[c.corpus][recipe]
			known = known || r != nil
			row = append(row, value(r, "ppl", "%.2f", true), value(r, "ppl_word", "%.1f", true), value(r, "bits_per_byte", "%.3f", false))
		}
		if known {
			rows = append(rows, row)
		}
	}
	if rows == nil {
		return "No perplexity is on record.\n"
	}
	return grid(head, rows)
}

func trainingRows(t *Training) [][]string {
	var rows [][]string
	add := func(name, format string, args ...any) {
		rows = append(rows, []string{name, fmt.Sprintf(format, args...)})
	}
	add("optimiser", "AdamW, peak learning rate %g after %d steps of linear warm-up, falling by a cosine to %g of it, weight decay %g, gradient norm at most %g", t.Rate, t.Warmup, t.Floor, t.Decay, t.Clip)
	if t.Dropout > 0 {
		add("dropout", "%g", t.Dropout)
	}
	if t.Average > 0 {
		add("weights kept", "moving average, decay %g", t.Average)
	}
	add("step", "%d windows of %d tokens", t.Batch, t.Window)
	add("length", "%d steps, %.0f million tokens", t.Steps, float64(t.Tokens)/1e6)
	add("products in", "%s", t.Precision)
	device := t.Device
	if device == "" {
		device = t.Backend
	}
	add("machine", "%s", device)
	add("time", "%.2f hours", t.Seconds/3600)
	if t.Speed > 0 {
		speed := fmt.Sprintf("%.0f thousand tokens a second", t.Speed/1e3)
		if t.Share > 0 {
			speed += fmt.Sprintf(", %.0f %% of the machine's bf16 peak", 100*t.Share)
		}
		add("speed", "%s", speed)
	}
	add("seed", "%d", t.Seed)
	add("last training loss", "%.4f nats per token", t.Loss)
	if t.Valid != nil {
		add("validation loss", "%.4f nats per token, over the whole held-out text", *t.Valid)
	}
	add("SHA-256 of the training tokens", "`%s`", t.Train)
	return rows
}
