package parts

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// job is one program to be made.
type job struct {
	name    Part
	recipe  recipe
	program string   // the file
	refused []string // installed programs that do not fit, and why
}

// batch is the programs of one module. One call of the go command builds them,
// so what they share is compiled once and both cores stay busy until the end.
type batch struct {
	module string // from the root of the repository
	source string // directory to build in: the module, or a complete copy
	jobs   []job
}

// inBatches sorts by module, so that all processes lock in one order. The largest build
// is the first.
func inBatches(jobs []job) []batch {
	byModule := map[string]int{}
	var batches []batch
	for _, j := range jobs {
		i, ok := byModule[j.recipe.module]
		if !ok {
			i = len(batches)
			byModule[j.recipe.module] = i
			batches = append(batches, batch{module: j.recipe.module})
		}
		batches[i].jobs = append(batches[i].jobs, j)
	}
	slices.SortFunc(batches, func(a, b batch) int { return strings.Compare(b.module, a.module) })
	return batches
}

// lockName is the name of the module's lock: "test-lab-build".
func lockName(module string) string {
	if module == "." {
		return "root"
	}
	return strings.ReplaceAll(module, "/", "-")
}

// names is "etcd, traefik".
func (b batch) names() string {
	var names []string
	for _, j := range b.jobs {
		names = append(names, string(j.name))
	}
	return strings.Join(names, ", ")
}

// title is the names where they are few: with the count it has to fit a line of a terminal.
func (b batch) title() string {
	if names := b.names(); len(names) <= 30 {
		return names
	}
	return fmt.Sprintf("%s and %d more", b.jobs[0].name, len(b.jobs)-1)
}

// there tells whether the program was built before, from whatever source.
func (j job) there() bool { return exists(j.program) }

// always and toolchain are the same for all programs of a module.
func (b batch) always() bool { return b.jobs[0].recipe.always }

func (b batch) targets() []string {
	var targets []string
	for _, j := range b.jobs {
		targets = append(targets, j.recipe.target)
	}
	return targets
}

func (b batch) env() []string {
	if b.always() {
		return lean()
	}
	env := hermetic()
	if toolchain := b.jobs[0].recipe.toolchain; toolchain != "" {
		env = append(env, "GOTOOLCHAIN="+toolchain)
	}
	return env
}

var majorVersion = regexp.MustCompile(`^v\d+$`)

// executable is the name that the go command gives to the program of a package:
// "server" for go.etcd.io/etcd/server/v3.
func executable(module, target string) string {
	if target == "." {
		return path.Base(module)
	}
	name := path.Base(target)
	if majorVersion.MatchString(name) {
		name = path.Base(path.Dir(target))
	}
	return name
}
