package node

import (
	"os"
	"regexp"

	corev1 "k8s.io/api/core/v1"
)

// Program is the program of an image.
type Program struct {
	// Path is the program, Args what comes before the container's own arguments.
	Path string
	Args []string
	// Env is added to the container's environment.
	Env []string
	// Hollow says that a hollow lab does not run the program.
	Hollow bool
}

// arguments are p's own and the container's. The first word of a container's command
// names a file inside the image, which is p.
func (p Program) arguments(c corev1.Container, env map[string]string) []string {
	words := c.Args
	if len(c.Command) > 0 {
		words = append(c.Command[1:len(c.Command):len(c.Command)], c.Args...)
	}
	args := append([]string{}, p.Args...)
	for _, w := range words {
		args = append(args, expand(w, env))
	}
	return args
}

// environment is the environment of the process. A container inherits only PATH and the
// directory for temporary files from the machine.
func (p Program) environment(env map[string]string) []string {
	all := []string{"PATH=" + os.Getenv("PATH"), "HOME=/tmp", "TMPDIR=" + os.TempDir()}
	for name, value := range env {
		all = append(all, name+"="+value)
	}
	return append(all, p.Env...)
}

var reference = regexp.MustCompile(`\$\$|\$\([-._a-zA-Z0-9]+\)`)

// expand replaces $(NAME) where env has NAME, as Kubernetes does in args and env;
// $$ is a dollar sign.
func expand(s string, env map[string]string) string {
	return reference.ReplaceAllStringFunc(s, func(ref string) string {
		if ref == "$$" {
			return "$"
		}
		if value, ok := env[ref[2:len(ref)-1]]; ok {
			return value
		}
		return ref
	})
}
