package parts

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Ensure returns where the named parts are, after it has built those that are
// neither installed in a version that fits nor in the cache. A first build
// takes minutes: w, which may be nil, is told what is slow and how it goes on.
// Nothing is written there when nothing is built.
//
// Installed means in the directory KUBEBUILDER_ASSETS (etcd, kube-apiserver,
// kube-controller-manager, kubectl) or on PATH (traefik, prometheus, helm,
// kubectl). Headgate is always built, which is cheap while it does not change.
//
// Several processes may call it at the same time: a part is built once. The
// error of a build ends with what the compiler said last.
func Ensure(ctx context.Context, w io.Writer, names ...Part) (Paths, error) {
	s, err := newWorkshop(w)
	if err != nil {
		return nil, err
	}
	paths := Paths{}
	for _, name := range names {
		if paths[name], err = s.ensure(ctx, name); err != nil {
			return nil, fmt.Errorf("lab part %s: %w", name, err)
		}
	}
	return paths, nil
}

// workshop is where parts are made.
type workshop struct {
	root     string // of the repository
	cache    string
	progress progress
}

func newWorkshop(w io.Writer) (workshop, error) {
	root, err := findRoot()
	if err != nil {
		return workshop{}, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return workshop{}, fmt.Errorf("no directory to keep built parts in: %w", err)
	}
	return workshop{root: root, cache: filepath.Join(cache, "headgate"), progress: newProgress(w)}, nil
}

func (s workshop) ensure(ctx context.Context, name Part) (string, error) {
	r, ok := recipes[name]
	if !ok {
		return "", fmt.Errorf("not a part; the parts are %v", slices.Sorted(maps.Keys(recipes)))
	}
	return s.provide(ctx, name, r)
}

func (s workshop) provide(ctx context.Context, name Part, r recipe) (string, error) {
	path, refused := r.installed(ctx, name)
	if path != "" {
		return path, nil
	}
	slot, err := s.slot(name, r)
	if err != nil {
		return "", err
	}
	program := filepath.Join(slot, string(name))
	if r.always || !exists(program) {
		err = s.produce(ctx, job{name: name, recipe: r, slot: slot, program: program, refused: refused})
	}
	return program, err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
