// Package cpu says which instruction sets the machine has and which of them
// the packages below pkg/simd use.
//
// Each of those packages has one file that registers its paths, best first:
//
//	var useVNNI, useAVX2 bool
//
//	func init() {
//		cpu.Register("gemm", cpu.AVX512VNNI, &useVNNI)
//		cpu.Register("gemm", cpu.AVX2, &useAVX2)
//	}
//
// Register sets the bool if the machine can run the path. The generic Go path
// needs no registration: it is what remains when every bool is false. Tests
// walk the paths through pkg/simd/simdtest; ILLM_SIMD=generic (or another name
// of a Set, upper and lower case alike) in the environment limits a whole
// process, which is how a result is compared between instruction sets from the
// command line.
//
// With the build tag purego, or on an architecture without assembly, nothing is
// registered and every package runs its generic path.
package cpu

import (
	"fmt"
	"os"
	"sort"
	"strings"

	xcpu "golang.org/x/sys/cpu"
)

// A Set is an instruction set as the paths need it. The order is that of
// preference: a limit to one set also rules out all larger ones. The sets of
// arm64 stand before those of amd64, so that a limit to one of the latter leaves
// an arm64 machine everything that it has.
type Set int

const (
	Generic     Set = iota // Go alone
	NEON                   // arm64's Advanced SIMD, on every such machine
	NEONDotProd            // NEON and the 8-bit dot products of equal signs, UDOT and SDOT
	NEONI8MM               // NEONDotProd and that of unequal signs, SUDOT
	AVX2                   // AVX2, FMA and BMI2
	AVXVNNI                // AVX2 and VPDPBUSD in its VEX form: CPUID 7.1 EAX bit 4
	AVX512                 // AVX-512 F, BW, VL, DQ and CD
	AVX512VNNI             // AVX512 and the 8-bit dot product VPDPBUSD in its EVEX form
	AVX512IFMA             // AVX512VNNI, the 52-bit multiplications of IFMA and the byte permutations of VBMI

	// Largest is the last Set: no limit.
	Largest = AVX512IFMA
)

var names = [...]string{"generic", "NEON", "NEONDotProd", "NEONI8MM", "AVX2", "AVXVNNI", "AVX512", "AVX512VNNI", "AVX512IFMA"}

// String returns the name of the set as it stands in records.
func (s Set) String() string {
	if s < 0 || int(s) >= len(names) {
		return fmt.Sprintf("cpu.Set(%d)", int(s))
	}
	return names[s]
}

// ParseSet is the inverse of String; upper and lower case are the same.
func ParseSet(name string) (Set, error) {
	for i, n := range names {
		if strings.EqualFold(n, name) {
			return Set(i), nil
		}
	}
	return Generic, fmt.Errorf("cpu: instruction set %q: want one of %s", name, strings.Join(names[:], ", "))
}

// Has reports whether processor and operating system can run code for s.
func Has(s Set) bool {
	x := &xcpu.X86 // all false on other architectures, as is ARM64 here
	avx2 := x.HasAVX2 && x.HasFMA && x.HasBMI2
	avx512 := x.HasAVX512F && x.HasAVX512BW && x.HasAVX512VL && x.HasAVX512DQ && x.HasAVX512CD && avx2
	switch s {
	case Generic:
		return true
	case NEON:
		return xcpu.ARM64.HasASIMD
	case NEONDotProd:
		return xcpu.ARM64.HasASIMD && xcpu.ARM64.HasASIMDDP
	case NEONI8MM:
		return xcpu.ARM64.HasASIMD && xcpu.ARM64.HasASIMDDP && xcpu.ARM64.HasI8MM
	case AVX2:
		return avx2
	case AVXVNNI:
		return avx2 && x.HasAVXVNNI
	case AVX512:
		return avx512
	case AVX512VNNI:
		return avx512 && x.HasAVX512VNNI
	case AVX512IFMA:
		return avx512 && x.HasAVX512VNNI && x.HasAVX512IFMA && x.HasAVX512VBMI
	}
	return false
}

// A Path is one registered implementation of a package's kernels.
type Path struct {
	Package string
	Set     Set
	enabled *bool
}

var paths []Path

// limit is the largest set in use.
var limit = fromEnv(os.Getenv("ILLM_SIMD"))

func fromEnv(name string) Set {
	if name == "" {
		return Largest
	}
	s, err := ParseSet(name)
	if err != nil {
		// A misspelt limit must not pass for the real thing.
		panic("ILLM_SIMD: " + err.Error())
	}
	return s
}

// Register announces that package pkg has a path for s, switched by *enabled,
// and switches it on if the machine has s. It is for package initialisation.
func Register(pkg string, s Set, enabled *bool) {
	paths = append(paths, Path{pkg, s, enabled})
	*enabled = s <= limit && Has(s)
}

// Paths returns the registered paths of pkg, or of all packages if pkg is
// empty, sorted by package and falling set.
func Paths(pkg string) []Path {
	var out []Path
	for _, p := range paths {
		if pkg == "" || p.Package == pkg {
			out = append(out, p)
		}
	}
	sort.SliceStable(out, func(i, j int) bool {
		if out[i].Package != out[j].Package {
			return out[i].Package < out[j].Package
		}
		return out[i].Set > out[j].Set
	})
	return out
}

// Limit returns the largest instruction set in use.
func Limit() Set { return limit }

// SetLimit switches off the paths of every package above s and switches on
// those up to s that the machine has. It is for tests and must not run while
// a kernel runs.
func SetLimit(s Set) {
	limit = s
	for _, p := range paths {
		*p.enabled = p.Set <= s && Has(p.Set)
	}
}

// Active describes the paths in use, for records: "gemm=AVX512VNNI vec=generic".
func Active() string {
	best := map[string]Set{}
	var pkgs []string
	for _, p := range Paths("") {
		if _, ok := best[p.Package]; !ok {
			pkgs = append(pkgs, p.Package)
			best[p.Package] = Generic
		}
		if *p.enabled && p.Set > best[p.Package] {
			best[p.Package] = p.Set
		}
	}
	if len(pkgs) == 0 {
		return Generic.String()
	}
	parts := make([]string, len(pkgs))
	for i, n := range pkgs {
		parts[i] = n + "=" + best[n].String()
	}
	return strings.Join(parts, " ")
}
