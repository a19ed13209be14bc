//go:build !unix

package peers

import "os/exec"

func ownGroup(*exec.Cmd) {}

func killGroup(cmd *exec.Cmd) error { return cmd.Process.Kill() }

func crashed(*exec.ExitError) string { return "" }
