//go:build !purego

package gemm4

import (
	"math/rand/v2"
	"os"
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
		1: gemmU8U4_1x64c8_AVX512VL, 2: gemmU8U4_2x32c8_AVX512VL, 3: gemmU8U4_3x16c8_AVX512VL,
		4: gemmU8U4_4x16c8_AVX512VL, 5: gemmU8U4_5x16c8_AVX512VL, 6: gemmU8U4_6x16c8_AVX512VL,
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
	text, err := os.ReadFile("gemm4_amd64.s")
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
