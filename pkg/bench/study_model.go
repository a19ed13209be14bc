package bench

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"runtime"
	"runtime/pprof"
	"strconv"

	"github.com/illm-go/illm/pkg/baseline"
	"github.com/illm-go/illm/pkg/di"
	"github.com/illm-go/illm/pkg/engine"
	"github.com/illm-go/illm/pkg/record"
)

// model loads the engine with a number of threads (0: the runner's) and operators (nil: the spec's).
func (s *study) model(ctx context.Context, threads int, ops di.Operators) (*engine.Model, error) {
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	m, err := s.entry.Integer(ctx, s.spec)
	if err != nil {
		return nil, err
	}
	if threads == 0 {
		threads = s.threads()
	}
	return engine.New(m.Artifact(), engine.Options{Spec: &s.spec, Threads: threads, Operators: ops, Weights: engine.Settled})
}

// prompt is a contender: n tokens from an empty cache, the head for the last of them.
func prompt(ctx context.Context, name string, session *engine.Session, ids []int32) *contender {
	return &contender{name: name, run: func(n int) error {
		for range n {
			session.Reset()
			if _, err := session.AppendLast(ctx, ids); err != nil {
				return err
			}
		}
		return nil
	}}
}

// decodeSteps is the number of tokens that one turn of decoding takes.
const decodeSteps = 16

// decoding is a contender: tokens one by one behind a prompt; its time is that of one.
func decoding(ctx context.Context, name string, session *engine.Session, ids []int32, behind int) *contender {
	return &contender{name: name, n: decodeSteps,
		before: func() error {
			session.Reset()
			_, err := session.AppendLast(ctx, ids[:behind])
			return err
		},
		run: func(n int) error {
			for i := range n {
				if _, err := session.AppendLast(ctx, ids[(behind+i)%len(ids):][:1]); err != nil {
					return err
				}
			}
			return nil
		}}
}

// counted is what a profile says of a run: samples by component, one more for the rest.
type counted struct {
	samples []uint64
	total   uint64
}

// profiled runs a prompt on one thread until the profile has so many samples.
func (s *study) profiled(ctx context.Context, session *engine.Session, ids []int32) (counted, error) {
	return s.profileOf(ctx, prompt(ctx, "", session, ids), len(components)+1, componentOf)
}

// profileOf runs p until its profile has so many samples. of gives the place of a stack among n, −1 for one that does not
// count.
func (s *study) profileOf(ctx context.Context, p *contender, n int, of func(stack []string) int) (c counted, err error) {
	c.samples = make([]uint64, n)
	if err := compete(ctx, []*contender{p}, 1, 1, true); err != nil { // warm, and how long it takes
		return c, err
	}
	per := max(1, int(float64(min(s.q.Samples, 500))/100/p.median()))
	p.n, p.seconds = per, nil
	for c.total < uint64(s.q.Samples) {
		var profile bytes.Buffer
		if err := pprof.StartCPUProfile(&profile); err != nil {
			return c, fmt.Errorf("bench: profile: %w", err)
		}
		runtime.LockOSThread()
		err := p.run(per)
		runtime.UnlockOSThread()
		pprof.StopCPUProfile()
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return c, err
		}
		before := c.total
		if err := readProfile(profile.Bytes(), func(stack []string, n uint64) {
			if i := of(stack); i >= 0 {
				c.samples[i] += n
				c.total += n
			}
		}); err != nil {
			return c, err
		}
		if c.total == before && per >= 1<<20 {
			return c, fmt.Errorf("bench: profile: no sample in %d runs: this system gives none", per)
		}
		if c.total-before < uint64(min(s.q.Samples, 500))/4 {
			per *= 2
		}
	}
	return c, nil
}

// parts shares one thread's prefill out to its components.
func (s *study) parts(ctx context.Context) error {
	m, err := s.model(ctx, 1, nil)
	if err != nil {
		return err
	}
	ids := s.ids[:s.q.Prefill]
	session, err := s.session(m, len(ids))
	if err != nil {
		return err
	}
	timed := prompt(ctx, "prefill", session, ids)
	if err := compete(ctx, []*contender{timed}, s.q.Runs, 1, true); err != nil {
		return err
	}
	c, err := s.profiled(ctx, session, ids)
	if err != nil {
		return err
	}
	s.share(m, c, timed, nil)
	return nil
}

// share files a profile's components with what a token costs in each; axes are added to each record's.
func (s *study) share(m *engine.Model, c counted, timed *contender, axes map[string]string) {
	token := 1e9 * timed.median() / float64(s.q.Prefill)
	sums := map[string]uint64{}
	var order []string
	for i, n := range c.samples {
		name := "rest"
		if i < len(components) {
			name = components[i].name
		}
		if _, known := sums[name]; !known {
			order = append(order, name)
		}
		sums[name] += n
	}
	for _, name := range order {
		if sums[name] == 0 && name != requantisation {
			continue
		}
		part := float64(sums[name]) / float64(c.total)
		at := map[string]string{"component": name, "prefill": strconv.Itoa(s.q.Prefill)}
		maps.Copy(at, axes)
		s.add(m, at,
			record.Metric{Name: "share", Value: 100 * part, Stderr: 100 * deviation(part, c.total), N: int(c.total), Unit: "%", Better: record.Lower},
			record.Metric{Name: "ns_token", Value: part * token, N: len(timed.seconds), Unit: "ns", Better: record.Lower})
	}
}

// floats runs the engine with integer, float32 and half operators.
func (s *study) floats(ctx context.Context) error {
	if err := s.load(ctx); err != nil {
		return err
	}
	single, half := baseline.Float32(s.spec, baseline.OpAll), baseline.Half(s.spec, baseline.OpAll)
	kinds := []struct {
		name string
		ops  di.Operators
		of   *baseline.Operators
	}{{"integer", nil, nil}, {"float32", single, single}, {"half", half, half}}
	var prefill, decode []*contender
	var models []*engine.Model
	for _, k := range kinds {
		m, err := s.model(ctx, 0, k.ops)
		if err != nil {
			return err
		}
		session, err := s.session(m, s.q.Prefill+decodeSteps)
		if err != nil {
			return err
		}
		models = append(models, m)
		prefill = append(prefill, prompt(ctx, k.name, session, s.ids[:s.q.Prefill]))
		decode = append(decode, decoding(ctx, k.name, session, s.ids, s.q.Prefill))
	}
	conversions := make([]float64, len(kinds))
	for i, k := range kinds {
		if k.of != nil {
			if err := prefill[i].run(1); err != nil {
				return err
			}
			c := k.of.Conversions()
			conversions[i] = float64(c.ToFloat+c.ToInteger) / float64(s.q.Prefill)
		}
	}
	alone := s.threads() == 1
	if err := compete(ctx, prefill, s.q.Runs, 1, alone); err != nil {
		return err
	}
	if err := compete(ctx, decode, s.q.Runs, 1, alone); err != nil {
		return err
	}
	for i, k := range kinds {
		metrics := []record.Metric{prefill[i].timing("prefill_ms", "ms", 1e3)}
		metrics = append(metrics, share("slower", prefill[i], prefill[0], record.Higher)...)
		metrics = append(metrics, decode[i].timing("decode_ms", "ms", 1e3))
		metrics = append(metrics, record.Metric{Name: "conversions_token", Value: conversions[i], Better: record.Lower})
		s.add(models[i], map[string]string{"operators": k.name, "prefill": strconv.Itoa(s.q.Prefill)}, metrics...)
	}
	return nil
}

// scaling compares one thread with the runner's.
func (s *study) scaling(ctx context.Context) error {
	var prefill, decode []*contender
	var models []*engine.Model
	counts := []int{1}
	for n := 2; n <= s.threads(); n *= 2 {
		counts = append(counts, n)
	}
	for _, n := range counts {
		m, err := s.model(ctx, n, nil)
		if err != nil {
			return err
		}
		session, err := s.session(m, s.q.Prefill+decodeSteps)
		if err != nil {
			return err
		}
		models = append(models, m)
		prefill = append(prefill, prompt(ctx, strconv.Itoa(n), session, s.ids[:s.q.Prefill]))
		decode = append(decode, decoding(ctx, strconv.Itoa(n), session, s.ids, s.q.Prefill))
	}
	for _, list := range [][]*contender{prefill, decode} {
		if err := compete(ctx, list, s.q.Runs, 1, false); err != nil {
			return err
		}
	}
	for i, n := range counts {
		metrics := []record.Metric{prefill[i].timing("prefill_ms", "ms", 1e3), decode[i].timing("decode_ms", "ms", 1e3)}
		metrics = append(metrics, share("prefill_speedup", prefill[0], prefill[i], record.Higher)...)
		metrics = append(metrics, share("decode_speedup", decode[0], decode[i], record.Higher)...)
		s.add(models[i], map[string]string{"threads": strconv.Itoa(n), "prefill": strconv.Itoa(s.q.Prefill)}, metrics...)
	}
	return nil
}

// context times prompts of several lengths on one thread and shares each out by a profile.
func (s *study) context(ctx context.Context) error {
	m, err := s.model(ctx, 1, nil)
	if err != nil {
		return err
	}
	if len(s.q.Lengths) == 0 {
		return fmt.Errorf("bench: study context: no length within the context of %s, %d", s.entry.Name, s.entry.MaxContext())
	}
	var list []*contender
	var sessions []*engine.Session
	for _, n := range s.q.Lengths {
		session, err := s.session(m, n)
		if err != nil {
			return err
		}
		sessions = append(sessions, session)
		list = append(list, prompt(ctx, strconv.Itoa(n), session, s.ids[:n]))
	}
	if err := compete(ctx, list, s.q.Runs, 1, true); err != nil {
		return err
	}
	for i, n := range s.q.Lengths {
		s.q.Say(fmt.Sprintf("  profile of %d tokens", n))
		c, err := s.profiled(ctx, sessions[i], s.ids[:n])
		if err != nil {
			return err
		}
		var attention, head uint64
		for k, x := range c.samples[:len(components)] {
			switch components[k].part {
			case "attention":
				attention += x
			case "head":
				head += x
			}
		}
		a, h := float64(attention)/float64(c.total), float64(head)/float64(c.total)
		total := list[i].timing("prefill_ms", "ms", 1e3)
		part := func(name string, share float64) record.Metric {
			return record.Metric{Name: name, Value: share * total.Value, Stderr: deviation(share, c.total) * total.Value, N: int(c.total), Unit: "ms", Better: record.Lower}
		}
		s.add(m, map[string]string{"tokens": strconv.Itoa(n)}, total, part("attention_ms", a), part("head_ms", h), part("linear_ms", 1-a-h),
			record.Metric{Name: "pairs", Value: float64(n) * float64(n+1) / 2})
	}
	return nil
}
