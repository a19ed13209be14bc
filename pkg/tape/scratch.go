package tape

import (
	"reflect"

	"github.com/gomlx/gomlx/backends"
)

// Scratch is the memory in bytes that a program needs on the device beside its inputs and outputs, as its compiler states
// it; 0 where it states nothing (the pure-Go backend).
//
// GoMLX keeps XLA's executable, which has the number in an exported field, behind an unexported one: it is read, and only
// read, by reflection, and another layout of a later version gives 0.
func Scratch(e backends.Executable) int64 {
	v := reflect.ValueOf(e)
	for _, name := range []string{"exec", "OnDeviceMemoryUsageStats", "Temporary"} {
		for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct {
			return 0
		}
		v = v.FieldByName(name)
	}
	if v.Kind() != reflect.Int64 {
		return 0
	}
	return max(0, v.Int())
}
