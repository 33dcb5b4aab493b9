package lab

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
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
// runs the tests and exits. When anything fails, the logs are kept, and the output says
// where they are.
func RunTests(m *testing.M, o Options, use func(*Lab) error) {
	if err := Prepare(o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	flag.Parse()
	if err := errors.Join(waitTogether(), collectLess()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(runTests(m, o, use))
}

// testsPerCore is how many parallel tests run for each core. They mostly wait.
const testsPerCore = 3

// waitTogether runs testsPerCore parallel tests per core, where the command line has no
// -parallel.
func waitTogether() error {
	const name = "test.parallel"
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	if given {
		return nil
	}
	return flag.Set(name, strconv.Itoa(testsPerCore*runtime.GOMAXPROCS(0)))
}

// collectLess lets this program and all parts, which inherit the setting, collect garbage
// when their memory has grown to four times what they need. The parts are small: that
// costs little memory, and time is what tests lack. It changes nothing where GOGC is set.
func collectLess() error {
	const percent = 300
	if os.Getenv("GOGC") != "" {
		return nil
	}
	debug.SetGCPercent(percent)
	return os.Setenv("GOGC", strconv.Itoa(percent))
}

func runTests(m *testing.M, o Options, use func(*Lab) error) int {
	began := time.Now()
	l, err := startFor(o, use)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	started := time.Now()
	// At once, because a test that panics or runs out of time ends the program.
	fmt.Fprintf(os.Stderr, "the lab started in %s; until the tests have passed its logs are in %s\n", seconds(started.Sub(began)), l.Dir)
	code := m.Run()
	fmt.Fprintln(os.Stderr, "the tests took", seconds(time.Since(started)))
	if code != 0 {
		l.keepDir()
		fmt.Fprintln(os.Stderr, "the lab's logs are kept in", l.Dir)
	}
	l.Stop()
	return code
}

// startFor starts a lab and passes it to use. When that fails, the logs are kept.
func startFor(o Options, use func(*Lab) error) (*Lab, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	l, err := Start(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := use(l); err != nil {
		l.keepDir()
		l.Stop()
		return nil, fmt.Errorf("%w\nthe lab's logs are kept in %s", err, l.Dir)
	}
	return l, nil
}

func seconds(d time.Duration) time.Duration { return d.Round(time.Second) }
