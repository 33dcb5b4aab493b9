package parts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

const (
	// compileSpeed is how many bytes of source a core compiles in a second, about.
	compileSpeed = 250_000
	// linkSize is how many bytes could be compiled in the time that a program is linked in.
	linkSize = 2_000_000
	// trial is how long compileSpeed counts as if it had been measured.
	trial = 20 * time.Second
)

// tally counts what is compiled. The size of a package's source stands for the time
// that it takes. The zero value expects nothing.
type tally struct {
	mu       sync.Mutex
	began    time.Time
	sizes    map[string]int64 // bytes of source, by import path, of what was expected and not yet seen
	expected int              // packages
	seen     int              // packages
	total    int64            // bytes
	done     int64            // bytes
}

// listed is what go list says of a package.
type listed struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	SFiles     []string
	Stale      bool // not in the build cache
}

// expect adds what a build of the targets will compile. It downloads what is missing.
func (t *tally) expect(ctx context.Context, module string, env, targets []string) error {
	text, err := goCommand(ctx, module, env, nil,
		append([]string{"list", "-deps", "-buildvcs=false", "-json=ImportPath,Dir,GoFiles,SFiles,Stale"}, targets...)...)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sizes == nil {
		t.sizes = map[string]int64{}
	}
	t.total += int64(len(targets)) * linkSize
	for decoder := json.NewDecoder(strings.NewReader(text)); ; {
		var p listed
		switch err := decoder.Decode(&p); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("go list: %w", err)
		}
		if _, twice := t.sizes[p.ImportPath]; !p.Stale || twice {
			continue
		}
		t.sizes[p.ImportPath] = p.size()
		t.total += p.size()
		t.expected++
	}
}

func (p listed) size() (bytes int64) {
	for _, names := range [][]string{p.GoFiles, p.SFiles} {
		for _, name := range names {
			if info, err := os.Stat(filepath.Join(p.Dir, name)); err == nil {
				bytes += info.Size()
			}
		}
	}
	return bytes
}

// saw counts the package that a line of go build -v names.
func (t *tally) saw(line string) {
	if !isPackage(line) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen++
	t.done += t.sizes[line] // 0 the second time
	delete(t.sizes, line)
}

// linked counts a program.
func (t *tally) linked() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done += linkSize
}

// line returns what to tell a person who waits for the programs.
func (t *tally) line(programs string) func(time.Duration) string {
	return func(time.Duration) string {
		t.mu.Lock()
		defer t.mu.Unlock()
		elapsed := time.Since(t.began)
		if t.total == 0 {
			return fmt.Sprintf("%s: %d packages in %s", programs, t.seen, elapsed.Round(time.Second))
		}
		return fmt.Sprintf("%s: %d%%, %d of %d packages, %s left", programs,
			100*t.done/t.total, t.seen, max(t.expected, t.seen), about(t.left(elapsed)))
	}
}

// left estimates how long the rest takes: as long for each byte as those before, where
// a trial at the usual speed counts as before.
//
//	2 cores, 30 MB of 120 MB compiled in 100 s:
//	(30 MB + 20 s × 2 × 0.25 MB/s) / (100 s + 20 s) = 0.33 MB/s, so 90 MB take 270 s
func (t *tally) left(elapsed time.Duration) time.Duration {
	usual := compileSpeed * float64(runtime.GOMAXPROCS(0))
	speed := (float64(t.done) + usual*trial.Seconds()) / (elapsed + trial).Seconds()
	return time.Duration(float64(t.total-t.done) / speed * float64(time.Second))
}

// about rounds to what an estimate can promise.
func about(d time.Duration) string {
	if d < time.Minute {
		return "less than 1 min"
	}
	return fmt.Sprintf("about %d min", int(d.Round(time.Minute).Minutes()))
}
