package main

import (
	"context"
	"fmt"

	"github.com/illm-go/illm/pkg/catalog"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/quant"
	"github.com/illm-go/illm/pkg/smooth"
)

// clipVariant is the variant that --clips makes where the recipe names none.
const clipVariant = "clips"

// clipTarget is the recipe of a search of clips: a variant, so that the plain recipe stays as it is.
func (c *calibrating) clipTarget(spec quant.Spec) (quant.Spec, error) {
	r := spec.Recipe
	switch {
	case r.Method == "":
		return spec, fmt.Errorf("calibrate: --clips goes with a method that has factors, found %s", quant.RTN)
	case r.Static != "" || spec.Mode == quant.Published:
		return spec, fmt.Errorf("calibrate: --clips with recipe %s, mode %s: expected dynamic ranges: constant grids are made for one clip", r.Name, spec.Mode)
	case spec.Clip != quant.DefaultClip:
		return spec, fmt.Errorf("calibrate: --clips together with --clip %s: expected one of them: the list stands in for the default, %s", spec.Clip, quant.DefaultClip)
	case c.window > engine.MaxTrial:
		return spec, fmt.Errorf("calibrate: --window %d with --clips: expected at most %d tokens", c.window, engine.MaxTrial)
	}
	if r.Variant != "" {
		return spec, nil
	}
	return c.spec(r.Name + "@" + clipVariant)
}

// searchClips puts clips by layer on the factors of --from, or on those of the recipe without its variant.
func (c *calibrating) searchClips(ctx context.Context, a *app, e *catalog.Entry, spec quant.Spec, path string) error {
	var f *smooth.Factors
	var err error
	where := c.from
	if where != "" {
		if f, err = smooth.Read(where); err != nil {
			return usageError(err)
		}
	} else {
		plain, err := c.spec(spec.Recipe.Widths() + "-" + spec.Recipe.Method)
		if err != nil {
			return err
		}
		if f, where, err = e.Factors(plain.Recipe); err != nil {
			return err
		}
	}
	if f, err = e.SearchClips(ctx, spec, f, where, catalog.ClipSearch{Text: c.text, Windows: c.windows, Window: c.window}); err != nil {
		return c.blame(err)
	}
	a.printf("clips by layer %s\n  mean KL divergence from the float model on the calibration text, before and after: %s\n", f.Meta[smooth.MetaClips], f.Meta[smooth.MetaClips+"_kl"])
	return f.Write(path)
}
