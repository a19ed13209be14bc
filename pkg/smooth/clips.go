package smooth

import (
	"fmt"
	"maps"
	"strings"

	"github.com/illm-go/illm/pkg/quant"
)

// Clips reads Meta's clip values of the softmax, one a layer; nil: the run's own clip in every layer. They are no factors:
// they change the integer softmax, not the weights.
func (f *Factors) Clips() (quant.Clips, error) {
	text, ok := f.Meta[MetaClips]
	if !ok {
		return nil, nil
	}
	list, err := quant.ParseClips(text)
	if err == nil && list == nil {
		err = fmt.Errorf("expected one value a layer such as 15,12,none, found nothing")
	}
	if err != nil {
		return nil, fmt.Errorf("smooth: metadata %s: %w", MetaClips, err)
	}
	return list, nil
}

// WithClips returns a copy that shares the vectors and has these clips by layer, with what is to be noted of them.
func (f *Factors) WithClips(list quant.Clips, notes map[string]string) *Factors {
	r := f.WithoutClips()
	if r.Meta == nil {
		r.Meta = map[string]string{}
	}
	for k, v := range notes {
		r.Meta[MetaClips+"_"+k] = v
	}
	r.Meta[MetaClips] = list.String()
	return r
}

// WithoutClips returns a copy that shares the vectors and has no clips by layer, nor a note of them: what codes are chosen
// for, and what the file was that they were put into.
func (f *Factors) WithoutClips() *Factors {
	r := &Factors{Blocks: f.Blocks, Rotation: f.Rotation, Meta: maps.Clone(f.Meta)}
	maps.DeleteFunc(r.Meta, func(k, _ string) bool { return k == MetaClips || strings.HasPrefix(k, MetaClips+"_") })
	return r
}
