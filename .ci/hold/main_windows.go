// Command hold keeps files as another program's use keeps them, until the file C:\let-go
// is there: read lets others read (a picture in a viewer), alone lets nobody (a virus
// scanner), load has a DLL loaded. It says "held" when it has them.
package main

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

func main() {
	for _, name := range os.Args[2:] {
		if err := hold(os.Args[1], name); err != nil {
			fmt.Fprintln(os.Stderr, "hold:", name, err)
			os.Exit(1)
		}
	}
	fmt.Println("held")
	for {
		if _, err := os.Stat(`C:\let-go`); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func hold(how, name string) error {
	if how == "load" {
		_, err := syscall.LoadLibrary(name)
		return err
	}
	p, err := syscall.UTF16PtrFromString(name)
	if err != nil {
		return err
	}
	share := map[string]uint32{"read": syscall.FILE_SHARE_READ}[how] // 0 for alone
	_, err = syscall.CreateFile(p, syscall.GENERIC_READ, share, nil, syscall.OPEN_EXISTING, 0, 0)
	return err
}
