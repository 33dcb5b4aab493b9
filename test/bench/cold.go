package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Cold measures the CPU time of `make demo` after a fresh clone: nothing is compiled yet, only
// the modules are downloaded. It needs no lab, takes long, and must not run inside one.
func Cold(ctx context.Context, o Options) (*Report, error) {
	caches, err := os.MkdirTemp("", "headgate-cold-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(caches) }()
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/headgate/headgate").Output()
	if err != nil {
		return nil, fmt.Errorf("find the checkout of Headgate: %w", err)
	}
	r := newReport(o)
	o.Progress("make demo, with empty caches")
	began := time.Now()
	cmd := exec.CommandContext(ctx, "make", "demo")
	cmd.Dir = strings.TrimSpace(string(root))
	cmd.Env = append(os.Environ(),
		"GOCACHE="+filepath.Join(caches, "go-build"), "XDG_CACHE_HOME="+caches, "KUBEBUILDER_ASSETS=")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // make ends what it has started
	cmd.WaitDelay = 10 * time.Second
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	err = cmd.Run()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	f := newFindings()
	if err == nil {
		// Of make and of everything that it has started and waited for.
		cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		f.add(nameCold, cpu.Minutes())
		f.note(nameCold, fmt.Sprintf("%s on the clock", time.Since(began).Round(time.Second)))
	} else {
		text := output.String()
		err = fmt.Errorf("make demo: %w\n%s", err, text[max(0, len(text)-1000):])
	}
	r.add(headgate{}, experiment{figures: []string{nameCold}}, f, err)
	r.judge([]figure{coldFigure})
	return r, nil
}
