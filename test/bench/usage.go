package bench

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// usage is what the processes of a program have used.
type usage struct {
	pids []int
	cpu  time.Duration // user and system, since each was started
	rss  int64         // bytes, of all together
}

// clockTick is the unit of /proc/PID/stat. It is 1/100 s on every architecture that Go has.
const clockTick = 10 * time.Millisecond

// usageOf sums what the processes of this lab use whose executable has that name. In the
// lab's namespaces /proc is the machine's, so its numbers are not those that os/exec knows.
func usageOf(program string) (usage, error) {
	own, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return usage{}, err
	}
	executables, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		return usage{}, err
	}
	var sum usage
	for _, exe := range executables {
		dir := filepath.Dir(exe)
		path, _ := os.Readlink(exe) // "" for a process that has ended
		namespace, _ := os.Readlink(filepath.Join(dir, "ns", "pid"))
		if filepath.Base(strings.TrimSuffix(path, " (deleted)")) != program || namespace != own {
			continue
		}
		if err := sum.add(dir); err != nil {
			return usage{}, fmt.Errorf("read what %s uses: %w", program, err)
		}
	}
	if len(sum.pids) == 0 {
		return usage{}, fmt.Errorf("no process of %s runs in this lab", program)
	}
	slices.Sort(sum.pids)
	return sum, nil
}

func (u *usage) add(dir string) error {
	pid, err := strconv.Atoi(filepath.Base(dir))
	if err != nil {
		return err
	}
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return err
	}
	// The second field, the name in parentheses, may contain blanks. Behind it field 14 is
	// user time and field 15 system time, field 24 the resident pages.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const first = 3 // the number of fields[0]
	var numbers [3]int64
	for i, field := range []int{14, 15, 24} {
		if numbers[i], err = strconv.ParseInt(fields[field-first], 10, 64); err != nil {
			return err
		}
	}
	u.pids = append(u.pids, pid)
	u.cpu += time.Duration(numbers[0]+numbers[1]) * clockTick
	u.rss += numbers[2] * int64(os.Getpagesize())
	return nil
}
