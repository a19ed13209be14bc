package modeltest

import (
	"encoding/binary"
	"encoding/json"
)

// Safe is one tensor of a safetensors file.
type Safe struct {
	Name  string
	Type  string // "F32", "F16", "BF16"
	Shape []uint64
	Data  []byte
}

// SafeF32 is a float32 tensor.
func SafeF32(name string, v []float32, shape ...uint64) Safe {
	return Safe{name, "F32", shape, Float32Bytes(v)}
}

// Safetensors returns a file with the tensors in the given order.
func Safetensors(tensors []Safe) []byte { return safetensors(tensors, "") }

// safetensors puts an entry, if there is one, before those of the tensors.
func safetensors(tensors []Safe, first string) []byte {
	type entry struct {
		Type    string   `json:"dtype"`
		Shape   []uint64 `json:"shape"`
		Offsets [2]int   `json:"data_offsets"`
	}
	header, data := make(map[string]entry), []byte(nil)
	for _, t := range tensors {
		header[t.Name] = entry{t.Type, t.Shape, [2]int{len(data), len(data) + len(t.Data)}}
		data = append(data, t.Data...)
	}
	j, err := json.Marshal(header)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	if first != "" {
		j = append([]byte("{"+first+","), j[1:]...)
	}
	for len(j)%8 != 0 {
		j = append(j, ' ')
	}
	return append(SafetensorsHeader(string(j)), data...)
}

// SafetensorsHeader returns a length prefix and the header, without data.
func SafetensorsHeader(header string) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
}
