//go:build !purego

package gemm

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/illm-go/illm/pkg/simd/cpu"
)

// A processor with AVX-512 runs the tiles of AVX-VNNI in another encoding of one instruction; the rest of the code,
// driver included, is the same.
func TestAVXVNNITwinRuns(t *testing.T) {
	if !cpu.Has(cpu.AVX512VNNI) {
		t.Skip("this machine has no AVX512VNNI")
	}
	saved, limit := kernelsAVXVNNI, cpu.Limit()
	defer func() { kernelsAVXVNNI = saved; cpu.SetLimit(limit) }()
	kernelsAVXVNNI.run = [7]kernel{
		1: gemmU8S8_1x64c4_AVX512VL, 2: gemmU8S8_2x32c4_AVX512VL, 3: gemmU8S8_3x16c4_AVX512VL,
		4: gemmU8S8_4x16c4_AVX512VL, 5: gemmU8S8_5x16c4_AVX512VL, 6: gemmU8S8_6x16c4_AVX512VL,
	}
	cpu.SetLimit(cpu.AVXVNNI)
	useAVXVNNI = true
	rng := rand.New(rand.NewPCG(7, 8))
	for m := 1; m <= 20; m++ {
		for _, k := range []int{1, 4, 5, 16, 17, 23, 100, 577} {
			newProblem(t, rng, m, 65+m%2*60, k, k%3, k%2 == 0).check(t)
		}
	}
	for _, s := range [][3]int{{8, 65, 4095}, {7, 64, 4097}, {1, 64, 8195}, {109, 70, 577}} {
		newProblem(t, rng, s[0], s[1], s[2], 1, true).check(t)
	}
}

var (
	dotBytes = regexp.MustCompile(`^BYTE .* // VPDPBUSD Y(\d+), Y(\d+), Y(\d+)$`)
	byteOf   = regexp.MustCompile(`\$0x([0-9a-f]{2})`)
)

// functions are the bodies of the generated file by name, a line an instruction.
func functions(t *testing.T) map[string][]string {
	text, err := os.ReadFile("gemm_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	out, name := map[string][]string{}, ""
	for l := range strings.SplitSeq(string(text), "\n") {
		l = strings.Join(strings.Fields(l), " ")
		if rest, ok := strings.CutPrefix(l, "TEXT ·"); ok {
			name, _, _ = strings.Cut(rest, "(")
		} else if l != "" && !strings.HasPrefix(l, "//") && name != "" {
			out[name] = append(out[name], l)
		}
	}
	return out
}

func rawBytes(line string) (b []byte) {
	for _, m := range byteOf.FindAllStringSubmatch(line, -1) {
		v, _ := strconv.ParseUint(m[1], 16, 8)
		b = append(b, byte(v))
	}
	return b
}

// decodeDot reads VEX.256.66.0F38.W0 50 with registers alone: the registers of the signed bytes, the unsigned and the sum.
func decodeDot(b []byte) (r [3]int, ok bool) {
	if len(b) != 5 || b[0] != 0xc4 || b[1]&0x1f != 2 || b[2]&0x87 != 5 || b[3] != 0x50 || b[4]>>6 != 3 {
		return r, false
	}
	not := ^b[1]
	return [3]int{int(b[4]&7 | not>>5&1<<3), int(^b[2] >> 3 & 15), int(b[4]>>3&7 | not>>7&1<<3)}, true
}

// Every AVX-VNNI tile is its twin, instruction by instruction and register by register, but for the encoding of VPDPBUSD.
func TestAVXVNNITwinEqual(t *testing.T) {
	all := functions(t)
	tiles, dots := 0, 0
	for name, body := range all {
		stem, ok := strings.CutSuffix(name, "_AVXVNNI")
		if !ok {
			continue
		}
		var plain []string
		for _, l := range body {
			if strings.HasPrefix(l, "BYTE") {
				m := dotBytes.FindStringSubmatch(l)
				r, ok := decodeDot(rawBytes(l))
				if m == nil || !ok {
					t.Fatalf("%s: %q is no VPDPBUSD", name, l)
				}
				l = "VPDPBUSD Y" + strconv.Itoa(r[0]) + ", Y" + strconv.Itoa(r[1]) + ", Y" + strconv.Itoa(r[2])
				if !strings.HasSuffix(m[0], "// "+l) {
					t.Errorf("%s: the comment of %q says otherwise", name, m[0])
				}
				dots++
			}
			plain = append(plain, l)
		}
		if twin := all[stem+"_AVX512VL"]; !slices.Equal(plain, twin) {
			t.Errorf("%s and %s_AVX512VL differ", name, stem)
		}
		tiles++
	}
	if tiles != 6 || dots == 0 {
		t.Errorf("%d tiles with %d dot products, want 6 tiles", tiles, dots)
	}
}

// The encodings of the file are those of LLVM's assembler, where it is installed, and of this table.
func TestAVXVNNIEncoding(t *testing.T) {
	for text, want := range map[string][3]int{ // llvm-mc: {vex} vpdpbusd %ymm<signed>, %ymm<unsigned>, %ymm<sum>
		"c4e27550d0": {0, 1, 2}, "c4423550c8": {8, 9, 9}, "c4420550ff": {15, 15, 15}, "c4e20550f8": {0, 15, 7},
		"c4627d50c7": {7, 0, 8}, "c4c27d50c0": {8, 0, 0}, "c4e24d50fd": {5, 6, 7}, "c4422d50dc": {12, 10, 11},
	} {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := decodeDot(b); !ok || got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	if _, err := exec.LookPath("llvm-mc"); err != nil {
		t.Skip("no llvm-mc")
	}
	var source strings.Builder
	var want []string
	for _, f := range functions(t) {
		for _, l := range f {
			if m := dotBytes.FindStringSubmatch(l); m != nil {
				r, _ := decodeDot(rawBytes(l))
				fmt.Fprintf(&source, "{vex} vpdpbusd %%ymm%d, %%ymm%d, %%ymm%d\n", r[0], r[1], r[2])
				want = append(want, hex.EncodeToString(rawBytes(l)))
			}
		}
	}
	cmd := exec.Command("llvm-mc", "-triple=x86_64", "-mattr=+avxvnni", "-show-encoding")
	cmd.Stdin = strings.NewReader(source.String())
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("this llvm-mc cannot: %v", err)
	}
	var got []string
	for _, m := range regexp.MustCompile(`encoding: \[(.*)\]`).FindAllStringSubmatch(string(out), -1) {
		got = append(got, strings.NewReplacer("0x", "", ",", "").Replace(m[1]))
	}
	if !slices.Equal(got, want) || len(want) == 0 {
		t.Errorf("%d encodings differ from LLVM's %d", len(want), len(got))
	}
}
