package parts

import (
	"context"
	"os"
	"path/filepath"
	"time"
)

// job is one part to be made.
type job struct {
	name    Part
	recipe  recipe
	slot    string // directory in the cache
	program string // file in slot
	refused []string
}

// produce builds the part into its slot, unless another process has done so
// while this one waited for the lock.
func (s workshop) produce(ctx context.Context, j job) error {
	unlock, err := s.lock(ctx, j.name, func() {
		s.progress.say("another process builds %s: waiting for it", j.name)
	})
	if err != nil {
		return err
	}
	defer unlock()

	first := !exists(j.program)
	build := s.buildOnce
	if j.recipe.always {
		build = s.rebuild
	} else if !first {
		return nil
	}
	if first {
		s.announce(j)
	}
	start := time.Now()
	if err := s.progress.during(j.name, func() error { return build(ctx, j) }); err != nil {
		return err
	}
	if first {
		s.progress.say("  %s: done in %s", j.name, time.Since(start).Round(time.Second))
	}
	return nil
}

func (s workshop) announce(j job) {
	for _, reason := range j.refused {
		s.progress.say("not used: %s", reason)
	}
	if j.recipe.always {
		s.progress.say("building %s from this checkout: %s the first time; later only what changed", j.name, j.recipe.cost)
		return
	}
	s.progress.say("building %s %s from source: %s, once; cached in %s", j.name, j.recipe.version, j.recipe.cost, j.slot)
}

// rebuild builds in place, where the go command leaves a program alone that is
// still up to date. The flags are those of go test, to share its build cache.
func (s workshop) rebuild(ctx context.Context, j job) error {
	_, err := goCommand(ctx, filepath.Join(s.root, j.recipe.module), os.Environ(),
		"build", "-buildvcs=false", "-o", j.program, j.recipe.target)
	return err
}

// buildOnce builds beside the slot and renames: a slot is complete or absent.
func (s workshop) buildOnce(ctx context.Context, j job) error {
	module := filepath.Join(s.root, j.recipe.module)
	work := filepath.Join(s.cache, "."+string(j.name)+".building")
	if err := os.RemoveAll(work); err != nil { // of a process that was killed; the lock says it is nobody's
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	if j.recipe.complete != nil {
		source := filepath.Join(work, "source")
		if err := os.CopyFS(source, os.DirFS(module)); err != nil {
			return err
		}
		if err := j.recipe.complete(ctx, source); err != nil {
			return err
		}
		module = source
	}
	result := filepath.Join(work, "result")
	if _, err := goCommand(ctx, module, hermetic(), "build", "-trimpath", "-buildvcs=false",
		"-ldflags", j.recipe.ldflags, "-o", filepath.Join(result, string(j.name)), j.recipe.target); err != nil {
		return err
	}
	if err := os.Rename(result, j.slot); err != nil {
		return err
	}
	return s.removeStale(j.name, j.slot)
}
