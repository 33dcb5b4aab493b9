package lab

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/headgate/headgate/test/lab/netns"
	"github.com/headgate/headgate/test/lab/parts"
)

// Prepare must come first in a program that calls Start. In a pod it runs the program of
// an image and does not return. Otherwise it builds the parts that o needs, which takes
// a network, and re-executes this program in the lab's namespace. It returns there, or
// with an error.
func Prepare(o Options) error {
	RunAsPod()
	if !netns.Inside() {
		if _, err := parts.Ensure(context.Background(), os.Stderr, o.parts()...); err != nil {
			return err
		}
	}
	return netns.Enter()
}

// RunTests is the body of a test package's TestMain. It starts one lab, passes it to use,
// runs the tests and exits. When a test fails, the logs are kept and the last line says
// where.
func RunTests(m *testing.M, o Options, use func(*Lab)) {
	if err := Prepare(o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(runTests(m, o, use))
}

func runTests(m *testing.M, o Options, use func(*Lab)) int {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	l, err := Start(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	use(l)
	code := m.Run()
	if code != 0 && l.tempDir != "" {
		l.tempDir = ""
		fmt.Fprintln(os.Stderr, "the lab's logs are kept in", l.Dir)
	}
	l.Stop()
	return code
}
