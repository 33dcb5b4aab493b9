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
// takes minutes: w, which may be nil, is told what is built and how far it is.
// Nothing is written there when nothing is built.
//
// Installed means in the directory KUBEBUILDER_ASSETS (etcd, kube-apiserver,
// kube-controller-manager, kubectl) or on PATH (traefik, prometheus, kubectl).
// Headgate is always built, which is cheap while it does not change.
//
// Several processes may call it at the same time: a part is built once. The
// error of a build ends with what the compiler said last.
func Ensure(ctx context.Context, w io.Writer, names ...Part) (Paths, error) {
	s, err := newWorkshop(w)
	if err != nil {
		return nil, err
	}
	return s.provide(ctx, recipes, names, nil)
}

// Build does what Ensure does, and builds commands of the test module into the
// directory dir: "demo" is test/cmd/demo. One count covers both, so a person
// who waits for a command that needs the parts sees the whole way.
func Build(ctx context.Context, w io.Writer, dir string, commands []string, names ...Part) error {
	s, err := newWorkshop(w)
	if err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	var jobs []job
	for _, name := range commands {
		r := recipe{module: "test", target: "./cmd/" + name, always: true}
		jobs = append(jobs, job{name: Part(name), recipe: r, program: filepath.Join(dir, name)})
	}
	_, err = s.provide(ctx, recipes, names, jobs)
	return err
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

// provide finds the named parts, and makes those that it does not find and the
// other jobs.
func (s workshop) provide(ctx context.Context, all map[Part]recipe, names []Part, jobs []job) (Paths, error) {
	paths := Paths{}
	for _, name := range names {
		r, ok := all[name]
		if !ok {
			return nil, fmt.Errorf("lab part %s: not a part; the parts are %v", name, slices.Sorted(maps.Keys(all)))
		}
		if _, twice := paths[name]; twice {
			continue
		}
		path, refused := r.installed(ctx, name)
		if path == "" {
			slot, err := s.slot(name, r)
			if err != nil {
				return nil, fmt.Errorf("lab part %s: %w", name, err)
			}
			path = filepath.Join(slot, string(name))
			if r.always || !exists(path) {
				jobs = append(jobs, job{name: name, recipe: r, program: path, refused: refused})
			}
		}
		paths[name] = path
	}
	return paths, s.produce(ctx, jobs)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
