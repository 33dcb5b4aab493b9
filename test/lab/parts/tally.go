package parts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"math/bits"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// Sizes stand for the time that a package takes. These were fitted to the 2,500 packages of
// the lab's programs, on one core: 1.5 s for a megabyte of source and 0.4 s to read what
// 1,000 packages below it export.
const (
	compileSpeed = 680_000          // bytes of source in a second
	importSize   = 270              // of a package below, in bytes of source
	linkSize     = 2_000_000        // of linking a program, in bytes of source
	trial        = 20 * time.Second // how long compileSpeed counts as if it had been measured
)

// tally counts what is compiled. The zero value expects nothing.
type tally struct {
	mu       sync.Mutex
	began    time.Time
	sizes    map[string]int64    // by import path: packages that are still to be compiled
	below    map[string]*big.Int // by import path: a bit for the package itself and for each that it needs
	expected int                 // packages
	seen     int                 // packages
	total    int64               // of the sizes
	done     int64               // of the sizes
}

// listed is what go list says of a package.
type listed struct {
	ImportPath string
	Imports    []string
	Dir        string
	GoFiles    []string
	SFiles     []string
	Stale      bool // not in the build cache
}

// expect adds what a build of the targets will compile. It downloads what is missing.
func (t *tally) expect(ctx context.Context, module string, env, targets []string) error {
	text, err := goCommand(ctx, module, env, nil,
		append([]string{"list", "-deps", "-buildvcs=false", "-json=ImportPath,Imports,Dir,GoFiles,SFiles,Stale"}, targets...)...)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sizes == nil {
		t.sizes, t.below = map[string]int64{}, map[string]*big.Int{}
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
		if _, twice := t.below[p.ImportPath]; !twice {
			t.add(p)
		}
	}
}

// add expects the package. Those that it imports were added before.
func (t *tally) add(p listed) {
	below := new(big.Int)
	for _, name := range p.Imports {
		if other, ok := t.below[name]; ok {
			below.Or(below, other)
		}
	}
	size := p.bytes()
	for _, word := range below.Bits() {
		size += importSize * int64(bits.OnesCount(uint(word)))
	}
	t.below[p.ImportPath] = below.SetBit(below, len(t.below), 1)
	if p.Stale {
		t.sizes[p.ImportPath] = size
		t.total += size
		t.expected++
	}
}

func (p listed) bytes() (bytes int64) {
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
//	2 cores, 60 MB of 300 MB compiled in 100 s:
//	(60 MB + 20 s × 2 × 0.68 MB/s) / (100 s + 20 s) = 0.73 MB/s, so 240 MB take 330 s
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
