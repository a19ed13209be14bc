package cpu

import (
	"runtime"
	"strings"
	"testing"
)

func TestParseSet(t *testing.T) {
	for s := Generic; s <= Largest; s++ {
		for _, name := range []string{s.String(), strings.ToLower(s.String())} {
			if got, err := ParseSet(name); err != nil || got != s {
				t.Errorf("ParseSet(%q) = %v, %v", name, got, err)
			}
		}
	}
	if _, err := ParseSet("avx3"); err == nil || !strings.Contains(err.Error(), "AVX512VNNI") {
		t.Errorf("ParseSet of an unknown name: %v, want an error naming the choices", err)
	}
	if got := Set(99).String(); got != "cpu.Set(99)" {
		t.Error(got)
	}
}

// A machine with a set has those that its paths also use, and none of another
// architecture.
func TestHasIsMonotone(t *testing.T) {
	for _, c := range [][2]Set{
		{NEONDotProd, NEON}, {NEONI8MM, NEONDotProd}, {AVXVNNI, AVX2}, {AVX512, AVX2}, {AVX512VNNI, AVX512},
	} {
		if Has(c[0]) && !Has(c[1]) {
			t.Errorf("%v without %v", c[0], c[1])
		}
	}
	if !Has(Generic) {
		t.Error("no generic path")
	}
	for s := Generic + 1; s <= Largest; s++ {
		if want := map[bool]string{true: "arm64", false: "amd64"}[s <= NEONI8MM]; Has(s) && want != runtime.GOARCH && want+runtime.GOARCH != "amd64386" {
			t.Errorf("%v on %s", s, runtime.GOARCH)
		}
	}
}

func TestRegistry(t *testing.T) {
	saved, before := paths, limit
	defer func() { paths = saved; SetLimit(before) }()
	paths, limit = nil, AVX512VNNI
	if got := Active(); got != "generic" {
		t.Errorf("nothing registered: %q", got)
	}
	var low, high bool
	Register("b", AVX2, &low)
	Register("b", AVX512VNNI, &high)
	if low != Has(AVX2) || high != Has(AVX512VNNI) {
		t.Errorf("after Register: %v, %v", low, high)
	}
	SetLimit(AVX2)
	if low != Has(AVX2) || high {
		t.Errorf("limited to AVX2: %v, %v", low, high)
	}
	if want := map[bool]string{true: "b=AVX2", false: "b=generic"}[Has(AVX2)]; Active() != want {
		t.Errorf("Active() = %q, want %q", Active(), want)
	}
	SetLimit(Generic)
	if low || high || Active() != "b=generic" {
		t.Errorf("limited to generic: %v, %v, %q", low, high, Active())
	}
	if p := Paths("b"); len(p) != 2 || p[0].Set != AVX512VNNI || len(Paths("a")) != 0 {
		t.Errorf("Paths: %v", p)
	}
}

func TestFromEnv(t *testing.T) {
	if got := fromEnv("avx2"); got != AVX2 {
		t.Errorf("avx2: %v", got)
	}
	defer func() {
		if r := recover(); r == nil {
			t.Error("a misspelt limit was taken")
		}
	}()
	fromEnv("axv2")
}
