package record

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// Env describes the machine and the build that produced a result.
type Env struct {
	CPU     string   `json:"cpu,omitempty"`     // model name
	Cores   int      `json:"cores,omitempty"`   // logical processors the process may use
	Threads int      `json:"threads,omitempty"` // threads that the measurement used
	Paths   []string `json:"paths,omitempty"`   // instruction-set paths taken, "gemm:avx512vnni"
	Backend string   `json:"backend,omitempty"` // what computed in place of the program's own code, "xla:cuda"
	Go      string   `json:"go,omitempty"`      // toolchain version
	OS      string   `json:"os,omitempty"`      //
	Arch    string   `json:"arch,omitempty"`    //
	GOAMD64 string   `json:"goamd64,omitempty"` //
}

// Environment describes this process. The caller adds Paths and Threads.
func Environment() Env {
	e := Env{CPU: cpuModel(), Cores: runtime.NumCPU(), Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "GOAMD64" {
				e.GOAMD64 = s.Value
			}
		}
	}
	return e
}

// cpuModel reads the processor's name where the system tells it, else names the
// architecture.
func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		name, value, ok := strings.Cut(s.Text(), ":")
		if ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// Revision returns the commit that the program was built from and whether the
// tree differed from it. Programs started by "go run" carry no such stamp; for
// them git is asked about the folder dir. Empty: not known.
func Revision(dir string) (commit string, dirty bool) {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				commit = s.Value
			case "vcs.modified":
				dirty = s.Value == "true"
			}
		}
	}
	if commit != "" {
		return commit, dirty
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "git", "-C", dir, "rev-parse", "HEAD").Output()
	if err != nil {
		return "", false
	}
	status, err := exec.CommandContext(ctx, "git", "-C", dir, "status", "--porcelain", "--untracked-files=no").Output()
	return strings.TrimSpace(string(out)), err != nil || len(status) > 0
}
