package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/illm-go/illm/pkg/fsbr"
	"github.com/illm-go/illm/pkg/model"
)

// paperWindows is the number of windows of the paper's calibration.
const paperWindows = 128

// printPlan says what a calibration would take, for a model that need not be here: its configuration is enough.
func printPlan(cmd *cobra.Command, o fsbr.Options, name string, windows, window int) (err error) {
	if o.Config, err = planned(cmd, name); err != nil {
		return err
	}
	if windows == 0 {
		windows = paperWindows
	}
	if window == 0 {
		window = min(calibrationWindow, o.Config.MaxContext)
	}
	if windows > fsbr.MaxWindows || window < 1 || window > o.Config.MaxContext {
		return fmt.Errorf("%w: %d windows of %d tokens: expected at most %d of at most %d", errUsage, windows, window, fsbr.MaxWindows, o.Config.MaxContext)
	}
	o.Windows = make([][]int32, windows)
	for i := range o.Windows {
		o.Windows[i] = make([]int32, window)
	}
	if o.Backend, err = openBackend(); err != nil {
		return err
	}
	defer o.Backend.Finalize()
	p, err := fsbr.MakePlan(o)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
	line := func(what string, bytes int64) { fmt.Fprintf(w, "%s\t%.3f GB\n", what, float64(bytes)/1e9) }
	line("weights of a block, on the host and on the device", p.Weights)
	line(fmt.Sprintf("activations of %d windows of %d, a table", windows, window), p.Table)
	line(fmt.Sprintf("activations of a batch of %d", max(1, o.Batch)), p.Batch)
	line("scratch of a step, as the compiler states it", p.Step)
	line("scratch of a forward pass", p.Pass)
	line("device, with the activations there", p.Device)
	line("device, with the activations in files", p.Files)
	line(fmt.Sprintf("disk, %d files", p.Tables), p.Table*p.Tables)
	return w.Flush()
}

// planned returns the configuration of a model, or of a file with nothing else.
func planned(cmd *cobra.Command, name string) (model.Config, error) {
	if strings.HasSuffix(name, ".json") {
		return configOf(name)
	}
	m, err := openFloat(cmd, name)
	if err != nil {
		return model.Config{}, err
	}
	defer m.Close()
	return m.Config, nil
}
