package gguf_test

import (
	"fmt"
	"path/filepath"

	"github.com/illm-go/illm/pkg/model/gguf"
	"github.com/illm-go/illm/pkg/model/modeltest"
)

func ExampleOpen() {
	f, err := gguf.Open(filepath.Join("testdata", "quants.gguf"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	t, _ := f.Tensor("Q4_1")
	v, err := f.Float32(t, nil)
	fmt.Println(f.Version, t.Type, t.Shape, len(v), err)
	// Output:
	// 3 Q4_1 [4 64] 256 <nil>
}

func ExampleParse_hostile() {
	_, err := gguf.Parse("evil.gguf", modeltest.GGUF{ClaimTensors: 1 << 60}.Bytes())
	fmt.Println(err)
	// Output:
	// gguf: open evil.gguf: at byte 8: the number of tensors is 1152921504606846976, but the 8 bytes left hold at most 0: the file is truncated or damaged, fetch it again
}
