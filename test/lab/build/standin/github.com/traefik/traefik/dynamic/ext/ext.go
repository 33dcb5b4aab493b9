// Package ext is what Traefik's own package of this path is without an
// extension: two empty structs that the dynamic configuration embeds. It is a
// module inside Traefik's repository, and a module's archive leaves such
// modules out.
package ext

// HTTP extends nothing.
type HTTP struct{}

// Router extends nothing.
type Router struct{}
