package model

import "errors"

func (m *Model) openDir(dir string) (tokErr, err error) {
	return nil, errors.New("directories are read soon")
}
