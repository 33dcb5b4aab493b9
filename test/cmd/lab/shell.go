package main

import (
	"flag"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"

	"github.com/headgate/headgate/test/lab/netns"
)

// shell runs $SHELL, or the command given after the flags, inside the running lab.
func shell(args []string) error {
	flags := flag.NewFlagSet("lab shell [COMMAND ARGUMENT...]", flag.ContinueOnError)
	dir := dirFlag(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	pid, err := running(*dir)
	if err != nil {
		return err
	}
	words := flags.Args()
	if len(words) == 0 {
		words = []string{userShell()}
	}
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "KUBECONFIG="+filepath.Join(*dir, "kubeconfig"), "PATH="+pathWithSelf())
	// Ctrl-C is for the shell. This process must not ignore it either: the shell would
	// inherit that.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	return netns.Run(pid, cmd)
}

func userShell() string {
	if s := os.Getenv("SHELL"); s != "" {
		return s
	}
	return "/bin/sh"
}

// pathWithSelf lets "lab load" be found in the shell.
func pathWithSelf() string {
	path := os.Getenv("PATH")
	if self, err := os.Executable(); err == nil {
		path += string(os.PathListSeparator) + filepath.Dir(self)
	}
	return path
}
