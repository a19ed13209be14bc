package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/illm-go/illm/pkg/peers"
	"github.com/illm-go/illm/pkg/record"
	"github.com/illm-go/illm/pkg/simd/cpu"
)

// busyShare is the share of others' work from which on a run is warned about.
const busyShare = 0.1

// Warning says that the machine was busy; "" where it was not.
func (p *PeersReport) Warning() string {
	if p.Table == nil || p.Table.Busy <= busyShare {
		return ""
	}
	return fmt.Sprintf("the machine was busy: others used %.0f %% of its processors before the start; ratios to rivals that spin between threads mean little", 100*p.Table.Busy)
}

// Text writes the comparison for reading.
func (p *PeersReport) Text(w io.Writer) error {
	t := p.Table
	fmt.Fprintf(w, "%s, %d threads each, ours through %s\n", record.Environment().CPU, t.Threads, cpu.Active())
	for _, name := range peers.Rivals() {
		if v := []rune(p.Versions[name]); len(v) > 100 {
			fmt.Fprintf(w, "  %s %s…\n", name, string(v[:100]))
		} else if len(v) > 0 {
			fmt.Fprintf(w, "  %s %s\n", name, string(v))
		}
	}
	fmt.Fprintf(w, "%d interleaved rounds after %d of warm-up: median (quartiles); × is how many times faster (of memory: smaller) ours is than the rival\n", t.Rounds, t.Warmup)
	fmt.Fprintf(w, "in its better form, over paired rounds with the 95 %% interval; a share is that of the arithmetic peak or read bandwidth of the same rounds\n")
	if text := p.Warning(); text != "" {
		fmt.Fprintln(w, strings.ToUpper(text[:1])+text[1:])
	}
	best := t.Best()
	for i := 0; i < len(t.Results); {
		n := i
		for n < len(t.Results) && t.Results[n].Case == t.Results[i].Case {
			n++
		}
		if err := p.block(w, t.Results[i:n], best); err != nil {
			return err
		}
		i = n
	}
	p.goals(w)
	for i, m := range t.Missing {
		if i == 0 {
			fmt.Fprintln(w, "\nmissing")
		}
		first, _, _ := strings.Cut(m.String(), "\n")
		fmt.Fprintf(w, "  %s\n", first)
	}
	for _, note := range p.Notes {
		if _, err := fmt.Fprintf(w, "\n%s\n", note); err != nil {
			return err
		}
	}
	return nil
}

// block is one case.
func (p *PeersReport) block(w io.Writer, results, best []peers.Result) error {
	c := results[0].Case
	here := slices.DeleteFunc(slices.Clone(best), func(r peers.Result) bool { return r.Case != c })
	peak, isPeak := fastest(here, c, []string{namePeak})
	read, isRead := fastest(here, c, []string{nameRead})
	fmt.Fprintf(w, "\n%s\n", strings.TrimSpace(c.Name()))
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range results {
		fmt.Fprintf(tw, "  %s\t%s\t%s", r.Name, r.Form, figure(r))
		if r.Missing != "" || len(r.Seconds) == 0 {
			fmt.Fprintln(tw)
			continue
		}
		var more []string
		if r.Rival != roofline {
			if isPeak {
				more = append(more, fmt.Sprintf("%.0f %% of peak", 100*pair(p.Table.Seed, r, peak).Value))
			}
			if isRead {
				bytes := 1.0
				if r.Name == nameInt4 {
					bytes = 0.5
				}
				more = append(more, fmt.Sprintf("%.0f %% of bandwidth", 100*bytes*pair(p.Table.Seed, r, read).Value))
			}
		}
		fmt.Fprintf(tw, "\t%s", strings.Join(more, ", "))
		isBest := slices.ContainsFunc(here, func(b peers.Result) bool { return b.Name == r.Name && b.Form == r.Form })
		if isBest && r.Rival != "" && r.Rival != roofline {
			for _, ours := range here {
				if ours.Rival == "" {
					fmt.Fprintf(tw, "\t%s %s", strings.TrimPrefix(ours.Name, "illm "), pair(p.Table.Seed, ours, r))
				}
			}
		}
		fmt.Fprintln(tw)
	}
	return tw.Flush()
}

// figure is a result in its case's unit.
func figure(r peers.Result) string {
	switch s := r.Spread(); {
	case r.Missing != "":
		return "– " + r.Missing
	case s.N == 0:
		return "– not measured"
	case r.Case.Op == peers.Memory && r.Base > 0:
		return fmt.Sprintf("%.1f MB (beside %.1f of Python's)", float64(r.Bytes-r.Base)/1e6, float64(r.Base)/1e6)
	case r.Case.Op == peers.Memory:
		return fmt.Sprintf("%.1f MB", float64(r.Bytes)/1e6)
	case r.Name == nameRead:
		size := float64(r.Case.N) * float64(r.Case.K)
		if r.Case.Op == peers.SGEMM {
			size *= 4
		}
		return fmt.Sprintf("%.3g GB/s (%.3g–%.3g)", 1e-9*size/s.Median, 1e-9*size/s.Q3, 1e-9*size/s.Q1)
	default:
		v, unit, ok := r.Case.Rate(s.Median)
		if !ok {
			return fmt.Sprintf("%.4g ms (%.4g–%.4g)", 1e3*s.Median, 1e3*s.Q1, 1e3*s.Q3)
		}
		low, _, _ := r.Case.Rate(s.Q3)
		high, _, _ := r.Case.Rate(s.Q1)
		return fmt.Sprintf("%.4g %s (%.4g–%.4g)", v, unit, low, high)
	}
}

// goals sets what was aimed at beside what was measured.
func (p *PeersReport) goals(w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	head := "\ngoals (reached: the whole interval is; open: the interval holds the goal)\n"
	line := func(format string, args ...any) {
		fmt.Fprint(w, head)
		head = ""
		fmt.Fprintf(tw, format, args...)
	}
	for _, o := range outcomes(p.Table) {
		where := ""
		if o.cases > 1 {
			where = fmt.Sprintf("worst of %d, at %s; %d there", o.cases, strings.TrimSpace(o.worst.Case.Name()), o.reached)
		}
		line("  %s\t≥ %.3g×\t%s\t%s\t%s\n", o.what(), o.least, o.worst, o.state(), where)
	}
	for _, r := range p.Table.Best() {
		if r.Case.Op != peers.First || r.Rival != "" || r.Name == "illm fp32" {
			continue
		}
		state := "reached"
		if r.Spread().Median > firstToken {
			state = "missed"
		}
		line("  %s: %s\t≤ %.0f ms\t%.4g ms\t%s\t\n", r.Case.Name(), r.Name, 1e3*firstToken, 1e3*r.Spread().Median, state)
	}
	_ = tw.Flush() // the caller's next write meets the same error
}
