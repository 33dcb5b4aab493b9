package e2e

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"

	"github.com/headgate/headgate/rollout/reason"
	"github.com/headgate/headgate/rollout/spec"
)

// terminal is a program on a pseudo terminal, and what a person sees there.
type terminal struct {
	*service
	cmd    *exec.Cmd
	device *os.File
	screen *vt.SafeEmulator

	mu   sync.Mutex
	sent bytes.Buffer // everything that the program wrote
}

// onTerminal runs "kubectl headgate" in the namespace of s on a terminal of that size.
func (s *service) onTerminal(columns, lines int, env []string, args ...string) *terminal {
	s.Helper()
	x := &terminal{service: s, screen: vt.NewSafeEmulator(columns, lines)}
	x.cmd = shared.Kubectl(s.within(2*time.Minute), append([]string{"headgate", "-n", s.Namespace}, args...)...)
	x.cmd.Env = append(append(x.cmd.Env, "TERM=xterm-256color"), env...)
	var err error
	x.device, err = pty.StartWithSize(x.cmd, &pty.Winsize{Cols: uint16(columns), Rows: uint16(lines)})
	s.must(err)
	s.Cleanup(func() { _ = x.device.Close() })
	go func() { _, _ = io.Copy(io.MultiWriter(x.screen, x), x.device) }()
	go func() { _, _ = io.Copy(x.device, x.screen) }() // what a terminal answers to questions about itself
	return x
}

func (x *terminal) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.sent.Write(p)
}

func (x *terminal) wrote() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.sent.String()
}

// resize gives the terminal another size, as a person does with a window.
func (x *terminal) resize(columns, lines int) {
	x.Helper()
	x.screen.Resize(columns, lines)
	x.must(pty.Setsize(x.device, &pty.Winsize{Cols: uint16(columns), Rows: uint16(lines)}))
}

// shows waits until the screen has all parts.
func (x *terminal) shows(parts ...string) {
	x.Helper()
	missing := ""
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		text := x.screen.String()
		missing = ""
		for _, part := range parts {
			if !strings.Contains(text, part) {
				missing = part
			}
		}
		if missing == "" {
			return
		}
	}
	x.Errorf("the screen has no %q:\n%s", missing, x.screen.String())
}

// leaves types q and waits for the end.
func (x *terminal) leaves() {
	x.Helper()
	_, err := x.device.Write([]byte("q"))
	x.must(err)
	if err := x.cmd.Wait(); err != nil {
		x.Errorf("after q: %v\n%s", err, x.screen.String())
	}
}

// TestPluginOnATerminal watches a rollout on a real terminal.
func TestPluginOnATerminal(t *testing.T) {
	t.Parallel()
	s := newService(t, map[string]string{spec.AnnotationSteps: "50%, pause, 100%, 1s", spec.AnnotationAnalysis: "auto"})
	s.await(20*time.Second, reason.Ready)
	s.ship("v2", nil)
	s.pluginEnds(4, "weight 50", "status", "web", "--wait")

	x := s.onTerminal(110, 45, nil, "status", "web", "--watch")
	x.shows("⏸ Paused", "✔ 50%  ▶ pause  · 100%", "stable  50% ███", "├─ web-", "└─ web-canary-", "It waits for a person",
		"kubectl headgate promote web", "q to leave")
	x.resize(60, 20)
	x.shows(s.Namespace+"/web", "⏸ Paused", "▶ pause", "q to leave")
	x.resize(110, 45)
	x.shows("└─ web-canary-", "kubectl headgate promote web", "q to leave")
	s.pluginEnds(0, "", "promote", "web")
	x.shows("evidence ░", "canary 0% (0% to ")
	x.shows("✔ Idle")
	x.leaves()

	x = s.onTerminal(60, 20, []string{"NO_COLOR=1"}, "status", "web", "--watch")
	x.shows("✔ Idle", "q to leave")
	x.leaves()
	if colour := regexp.MustCompile(`\x1b\[[0-9;]*3[0-9][0-9;]*m`).FindString(x.wrote()); colour != "" {
		t.Errorf("there is a colour in spite of NO_COLOR: %q", colour)
	}
	s.over()
}
