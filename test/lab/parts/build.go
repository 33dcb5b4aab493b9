package parts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// produce builds what is to be built. Another process may have done so while
// this one waited for a lock.
func (s workshop) produce(ctx context.Context, jobs []job) error {
	batches := inBatches(jobs)
	for _, b := range batches {
		unlock, err := s.lock(ctx, lockName(b.module), func() {
			s.progress.say("another process builds %s: waiting for it", b.names())
		})
		if err != nil {
			return err
		}
		defer unlock()
	}
	var first []batch
	for _, b := range batches {
		if missing := slices.DeleteFunc(slices.Clone(b.jobs), job.there); len(missing) > 0 {
			if !b.always() {
				b.jobs = missing
			}
			first = append(first, b)
		} else if b.always() {
			if err := s.rebuild(ctx, b); err != nil {
				return fmt.Errorf("lab part %s: %w", b.names(), err)
			}
		}
	}
	return s.buildFirst(ctx, first)
}

// rebuild builds programs that are there in place, where the go command leaves
// one alone that is still up to date.
func (s workshop) rebuild(ctx context.Context, b batch) error {
	count := &tally{began: time.Now()}
	return s.progress.during(count.line(b.title()), func() error {
		for _, j := range b.jobs {
			if err := s.buildInPlace(ctx, j, count); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s workshop) buildInPlace(ctx context.Context, j job, count *tally) error {
	return compile(ctx, filepath.Join(s.root, j.recipe.module), lean(), count, "-o", j.program, j.recipe.target)
}

// buildFirst builds programs that are not there yet, and says how far it is.
func (s workshop) buildFirst(ctx context.Context, batches []batch) error {
	if len(batches) == 0 {
		return nil
	}
	s.announce(batches)
	count := &tally{began: time.Now()}
	defer func() {
		for _, b := range batches {
			_ = os.RemoveAll(s.workDir(b.module))
		}
	}()
	err := s.progress.during(constantly("looking up what has to be compiled"), func() error {
		for i := range batches {
			if err := s.prepare(ctx, &batches[i], count); err != nil {
				return fmt.Errorf("lab part %s: %w", batches[i].names(), err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	count.began = time.Now()
	for _, b := range batches {
		if err := s.progress.during(count.line(b.title()), func() error { return s.build(ctx, b, count) }); err != nil {
			return fmt.Errorf("lab part %s: %w", b.names(), err)
		}
	}
	s.progress.say("built in %s", time.Since(count.began).Round(time.Second))
	return nil
}

func (s workshop) announce(batches []batch) {
	var names []string
	for _, b := range batches {
		for _, j := range b.jobs {
			for _, reason := range j.refused {
				s.progress.say("not used: %s", reason)
			}
			names = append(names, strings.TrimSpace(string(j.name)+" "+j.recipe.version))
		}
	}
	s.progress.say("building from source, once: %s", strings.Join(names, ", "))
	s.progress.say("what is built is kept in %s and in Go's build cache", s.cache)
}

// prepare finds out where the batch is built and how much there is to compile.
func (s workshop) prepare(ctx context.Context, b *batch, count *tally) error {
	b.source = filepath.Join(s.root, b.module)
	if exists(filepath.Join(b.source, overlays)) {
		work := s.workDir(b.module)
		if err := os.RemoveAll(work); err != nil { // of a process that was killed: the lock is ours
			return err
		}
		if err := completeCopy(ctx, b.source, work); err != nil {
			return err
		}
		b.source = work
	}
	return count.expect(ctx, b.source, b.env(), b.targets())
}

// workDir is the same for each build of the module: compiled packages name it.
func (s workshop) workDir(module string) string {
	return filepath.Join(s.cache, "."+lockName(module)+".building")
}

func (s workshop) build(ctx context.Context, b batch, count *tally) error {
	if b.always() {
		for _, j := range b.jobs {
			if err := s.buildInPlace(ctx, j, count); err != nil {
				return err
			}
			count.linked()
		}
		return nil
	}
	results := s.workDir(b.module) + ".results"
	if err := os.RemoveAll(results); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(results) }()
	args := []string{"-o", results + string(filepath.Separator)}
	for _, j := range b.jobs {
		args = append(args, "-ldflags="+j.recipe.target+"="+j.recipe.ldflags)
	}
	if err := compile(ctx, b.source, b.env(), count, append(args, b.targets()...)...); err != nil {
		return err
	}
	for _, j := range b.jobs {
		count.linked()
		if err := s.keep(j, filepath.Join(results, executable(b.module, j.recipe.target))); err != nil {
			return err
		}
	}
	return nil
}

// keep moves a program into its slot by renaming: a slot is complete or absent.
func (s workshop) keep(j job, built string) error {
	slot := filepath.Dir(j.program)
	complete := built + ".slot"
	if err := errors.Join(os.Mkdir(complete, 0o755), os.Rename(built, filepath.Join(complete, filepath.Base(j.program)))); err != nil {
		return err
	}
	if err := os.Rename(complete, slot); err != nil {
		return err
	}
	return s.removeStale(j.name, slot)
}

// compile runs go build, and tells count what it compiles.
func compile(ctx context.Context, dir string, env []string, count *tally, args ...string) error {
	_, err := goCommand(ctx, dir, env, count.saw, append([]string{"build", "-v", "-buildvcs=false"}, args...)...)
	return err
}
