package memory

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

// usage is what a process has used.
type usage struct {
	cpu    time.Duration // user and system, since it was started
	memory Memory
}

// clockTick is the unit of /proc/PID/stat. It is 1/100 s on every architecture that Go has.
const clockTick = 10 * time.Millisecond

// usageOf returns what Headgate's process in that pod has used. The lab's node tells each
// container the name of its pod. In the lab's namespaces /proc is the machine's.
func usageOf(pod string) (usage, error) {
	directories, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return usage{}, err
	}
	for _, dir := range directories {
		environ, _ := os.ReadFile(filepath.Join(dir, "environ")) // nil for a process that has ended
		if slices.Contains(strings.Split(string(environ), "\x00"), "HOSTNAME="+pod) {
			return readUsage(dir)
		}
	}
	return usage{}, fmt.Errorf("no process runs in pod %s", pod)
}

func readUsage(dir string) (usage, error) {
	var u usage
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return u, err
	}
	// The second field, the name in parentheses, may contain blanks. Behind it field 14 is
	// user time and field 15 system time.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const first = 3 // the number of fields[0]
	for _, field := range []int{14, 15} {
		ticks, err := strconv.ParseInt(fields[field-first], 10, 64)
		if err != nil {
			return u, err
		}
		u.cpu += time.Duration(ticks) * clockTick
	}
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return u, err
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		kilobytes, _, _ := strings.Cut(strings.TrimSpace(value), " ")
		switch name {
		case "VmRSS":
			u.memory.RSS, err = strconv.ParseInt(kilobytes, 10, 64)
		case "VmHWM":
			u.memory.Peak, err = strconv.ParseInt(kilobytes, 10, 64)
		}
		if err != nil {
			return u, err
		}
	}
	u.memory.RSS, u.memory.Peak = u.memory.RSS<<10, u.memory.Peak<<10
	return u, nil
}
