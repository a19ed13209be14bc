//go:build purego || !(amd64 || arm64)

package vec

func walsh(t []int64, m int)      { walshGeneric(t, m) }
func across(t []int64, order int) { acrossGeneric(t, order) }
