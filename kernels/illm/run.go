package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"

	"github.com/spf13/cobra"

	"github.com/illm-go/illm/pkg/artifact"
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/model/tokenizer"
	"github.com/illm-go/illm/pkg/quant"
)

func (a *app) quantizeCommand() *cobra.Command {
	var s settings
	var out, list string
	var force, recalibrate bool
	cmd := &cobra.Command{
		Use:   "quantize",
		Short: "Make an integer artefact",
		Long: `quantize writes the integer artefact of a float model: weights rounded to nearest,
norms, rotary phases and the grid of the residual stream as integers, and the
tokenizer. The same model, recipe and calibration give the same bytes everywhere.

The grid comes from one pass of the float model over 16 windows of calibration
text. For known models the result ships with the program; --recalibrate runs the
pass again (minutes).`,
		Example: `  illm quantize --recipe w4a4 --out tiny-w4a4.illm
  illm eval --model tiny-w4a4.illm --recipe w4a4 --corpus opticks --no-kl`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			spec, err := s.spec(s.recipe)
			if err != nil {
				return err
			}
			if out == "" {
				return usageError(errors.New("quantize: --out is missing: name the file to write"))
			}
			if exists(out) && !force {
				return usageError(fmt.Errorf("quantize: %s exists: expected a new file, or --force to replace it", out))
			}
			s.recalibrate = recalibrate
			e, err := a.entry(cmd.Context(), &s)
			if err != nil {
				return err
			}
			defer e.Close()
			cal, err := e.Calibration(cmd.Context())
			if err != nil {
				return err
			}
			if list != "" {
				if err := e.Publish(cal, list); err != nil {
					return err
				}
			}
			a.logf("calibration: max|h| %v over %d windows of %d tokens of the text %q, ids %s", cal.MaxAbs, cal.Windows, cal.Window, cal.Text, cal.Hash)
			id, err := e.Quantize(cmd.Context(), spec, cal, out)
			if err != nil {
				return err
			}
			a.printf("%s  %s\n", id, out)
			return a.record(map[string]any{"kind": "quantize", "artefact": id, "path": out, "recipe": spec.Recipe.Name, "model": s.model, "calibration": cal})
		},
	}
	s.flags(cmd, "w8a8")
	cmd.Flags().StringVarP(&out, "out", "o", "", "file to write")
	cmd.Flags().BoolVar(&force, "force", false, "replace an existing file")
	cmd.Flags().StringVar(&list, "calibrations", "", "add the calibration to this JSON `file` of shipped ones")
	if err := cmd.Flags().MarkHidden("calibrations"); err != nil { // for whoever commits it
		panic(err)
	}
	cmd.Flags().BoolVar(&recalibrate, "recalibrate", false, "run the calibration pass even where its result is known")
	return cmd
}

func (a *app) verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "verify ARTEFACT…",
		Short:   "Check artefacts against their checksums",
		Long:    "verify reads artefacts whole and compares the checksums of header and payload.",
		Example: "  illm verify tiny-w4a4.illm",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError(errors.New("verify: expected the path of an artefact"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, path := range args {
				f, err := artifact.Open(path)
				if err == nil {
					err = f.Verify()
				}
				if errors.Is(err, artifact.ErrCorrupt) {
					return withCode(exitMismatch, err)
				}
				if err != nil {
					return err
				}
				a.printf("%s  %s: sound, %s of %s, %d bytes\n", f.ID, path, f.Header.Spec.Recipe.Name, f.Header.Name, f.Size())
				if err := a.record(map[string]any{"kind": "verify", "artefact": f.ID, "path": path, "bytes": f.Size()}); err != nil {
					return err
				}
				f.Close()
			}
			return nil
		},
	}
}

func (a *app) generateCommand() *cobra.Command {
	var s settings
	var prompt, temperature, topP string
	var n, topK int
	var seed uint64
	cmd := &cobra.Command{
		Use:   "generate",
		Short: "Continue a prompt",
		Long: `generate continues a prompt and streams the text. Integer recipes sample in integers
too: the same seed gives the same text on every machine. fp32 decodes greedily.`,
		Example: `  illm generate --prompt "The capital of France is" -n 16
  illm generate --recipe w4a8 --prompt "Once upon a time" --temperature 0.8 --top-p 0.95 --seed 7`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if n < 1 {
				return usageError(fmt.Errorf("generate: -n %d: expected at least 1 token", n))
			}
			sampler, err := di.NewSampler(di.Sampling{Temperature: temperature, TopK: topK, TopP: topP, Seed: seed})
			if err != nil {
				return usageError(err)
			}
			if quant.IsFloat(s.recipe) && temperature != "" && temperature != "0" {
				return usageError(errors.New("generate: fp32 decodes greedily: leave --temperature out"))
			}
			e, err := a.entry(cmd.Context(), &s)
			if err != nil {
				return err
			}
			defer e.Close()
			tok, err := e.Tokenizer()
			if err != nil {
				return err
			}
			ids, err := e.Encode(prompt)
			if err != nil {
				return err
			}
			if len(ids) == 0 {
				return usageError(errors.New("generate: the prompt is empty: give at least one character with --prompt"))
			}
			if need, have := len(ids)+n, e.MaxContext(); need > have {
				return usageError(fmt.Errorf("generate: prompt and continuation are %d tokens: expected at most %d, the context of %s: shorten the prompt or lower -n", need, have, s.model))
			}
			next, err := a.stepper(cmd, &s, e, ids, n, sampler)
			if err != nil {
				return err
			}
			defer next.close()
			return a.stream(next, tok, ids, n)
		},
	}
	s.flags(cmd, "w8a8")
	f := cmd.Flags()
	f.StringVarP(&prompt, "prompt", "p", "", "text to continue")
	f.IntVarP(&n, "tokens", "n", 64, "tokens to generate")
	f.StringVar(&temperature, "temperature", "", "sampling temperature, a decimal (default: greedy)")
	f.IntVar(&topK, "top-k", 0, "sample among the k likeliest; 0: all")
	f.StringVar(&topP, "top-p", "", "sample among the likeliest of this mass, a decimal in 0…1")
	f.Uint64Var(&seed, "seed", 0, "seed of the sampler")
	return cmd
}

// stepper draws tokens one by one.
type stepper struct {
	next  func(ids []int32) (int32, error)
	eos   int
	close func()
}

// stream prints the continuation as it grows.
func (a *app) stream(s *stepper, tok *tokenizer.Tokenizer, prompt []int32, n int) error {
	text := tok.NewStream()
	var out []int32
	in := prompt
	for range n {
		id, err := s.next(in)
		if err != nil {
			return err
		}
		if int(id) == s.eos {
			break
		}
		out = append(out, id)
		in = out[len(out)-1:]
		a.printf("%s", text.Next(id))
	}
	a.printf("%s\n", text.Flush())
	return a.record(map[string]any{"kind": "generate", "prompt_tokens": len(prompt), "tokens": out, "text": string(tok.Decode(out))})
}

func (a *app) hashCommand() *cobra.Command {
	var s settings
	var prompt string
	var split int
	cmd := &cobra.Command{
		Use:   "hash",
		Short: "One number for \"same bits\"",
		Long: `hash prints the chained SHA-256 of the integer logits behind every token of a
prompt. It does not depend on machine, threads, instruction set (ILLM_SIMD) or on
how the prompt is split.`,
		Example: `  illm hash --prompt "The capital of France is"
  illm hash --prompt "The capital of France is" --threads 1 --split 1`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			spec, err := s.spec(s.recipe)
			if err != nil {
				return err
			}
			if split < 0 {
				return usageError(fmt.Errorf("hash: --split %d: expected 0 or more", split))
			}
			e, err := a.entry(cmd.Context(), &s)
			if err != nil {
				return err
			}
			defer e.Close()
			m, err := e.Integer(cmd.Context(), spec)
			if err != nil {
				return err
			}
			ids, err := e.Encode(prompt)
			if err != nil {
				return err
			}
			if len(ids) == 0 {
				return usageError(errors.New("hash: the prompt is empty: give at least one character with --prompt"))
			}
			session, err := m.NewSession(len(ids))
			if err != nil {
				return usageError(err)
			}
			defer session.Close()
			sum, err := chain(cmd.Context(), session, ids, split)
			if err != nil {
				return err
			}
			a.printf("%s\n", sum)
			return a.record(map[string]any{"kind": "hash", "sha256": sum, "tokens": len(ids), "artefact": m.Artifact().ID, "recipe": spec.Recipe.Name})
		},
	}
	s.flags(cmd, "w8a8")
	cmd.Flags().StringVarP(&prompt, "prompt", "p", "", "text to run")
	cmd.Flags().IntVar(&split, "split", 0, "run the prompt in pieces of so many tokens; 0: in one")
	return cmd
}

// chain runs ids in pieces and hashes the logits in the order of the tokens.
func chain(ctx context.Context, session *engine.Session, ids []int32, split int) (string, error) {
	if split == 0 {
		split = len(ids)
	}
	var h di.LogitHash
	for at := 0; at < len(ids); at += split {
		piece := ids[at:min(at+split, len(ids))]
		rows := make([]engine.Logits, len(piece))
		var mu sync.Mutex
		err := session.AppendAll(ctx, piece, func(i int, l engine.Logits) error {
			l.T = append([]int64(nil), l.T...)
			mu.Lock()
			rows[i] = l
			mu.Unlock()
			return nil
		})
		if err != nil {
			return "", err
		}
		for _, l := range rows {
			if err := h.Add(l.T, l.M, l.K); err != nil {
				return "", err
			}
		}
	}
	sum := h.Sum()
	return hex.EncodeToString(sum[:]), nil
}
