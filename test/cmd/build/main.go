// Command build builds commands of this module and the parts of the lab that they need,
// and says how far it is. It needs nothing but the standard library and a few lines of
// golang.org/x/mod, so that it runs seconds after a clone.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/headgate/headgate/test/lab/parts"
)

const usage = `usage: build [-o DIR] [-commands demo,...] PART ...

`

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("build", flag.ContinueOnError)
	dir := flags.String("o", "bin", "`directory` for the commands")
	commands := flags.String("commands", "", "`names` of directories in test/cmd, separated by commas")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	var names []parts.Part
	for _, name := range flags.Args() {
		names = append(names, parts.Part(name))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return parts.Build(ctx, os.Stderr, *dir, strings.FieldsFunc(*commands, func(r rune) bool { return r == ',' }), names...)
}
