# SPDX-License-Identifier: Apache-2.0
# Vivado's commands for tclsh: each is checked for the arguments that it has in Vivado (UG835, the same
# in 2020.1, 2022.2 and 2024.2) and recorded; an unknown command or argument is an error.
#   tclsh vivado.tcl SCRIPT RECORD BITSTREAM SLACK ARGUMENT...

lassign $argv script record_file bitstream slack
set argv [lrange $argv 4 end]
set record [open $record_file w]

# command {flags} {options with a value} least most: arguments besides those
set commands {
    {read_verilog {-sv -quiet -verbose} {-library} 1 99}
    {read_mem {-quiet -verbose} {} 1 1}
    {read_xdc {-unmanaged -no_add -quiet} {-cells -ref -mode} 1 1}
    {synth_design {-quiet} {-top -part -name -mode -flatten_hierarchy} 0 0}
    {opt_design {-quiet} {-directive} 0 0}
    {place_design {-quiet -timing_summary} {-directive} 0 0}
    {phys_opt_design {-quiet} {-directive} 0 0}
    {route_design {-quiet -timing_summary} {-directive} 0 0}
    {report_timing_summary {-quiet} {-file -max_paths} 0 0}
    {report_utilization {-quiet -hierarchical} {-file} 0 0}
    {report_route_status {-quiet} {-file} 0 0}
    {get_timing_paths {-setup -hold -quiet} {-max_paths -from -to -delay_type} 0 0}
    {get_cells {-quiet -hierarchical -regexp -nocase} {-filter -of_objects} 0 1}
    {get_property {-quiet -min -max} {} 2 2}
    {set_property {-quiet} {-dict} 1 3}
    {write_bitstream {-force -bin_file -quiet} {} 1 1}
    {create_project {-force -in_memory -quiet} {-part} 0 2}
    {close_project {-delete -quiet} {} 0 0}
    {current_project {-quiet} {} 0 1}
    {current_fileset {-quiet -simset -constrset} {} 0 1}
    {add_files {-norecurse -quiet -force -copy_to} {-fileset} 1 1}
    {remove_files {-quiet} {-fileset} 1 1}
    {get_files {-quiet} {-of_objects -filter} 0 1}
    {update_compile_order {-force_gui -quiet} {-fileset} 0 0}
    {update_ip_catalog {-rebuild -quiet} {} 0 0}
    {create_bd_design {-quiet} {-cell} 1 1}
    {create_bd_cell {-quiet} {-vlnv -type -reference} 1 1}
    {make_bd_intf_pins_external {-quiet} {-name} 1 1}
    {connect_bd_intf_net {-quiet} {-intf_net -boundary_type} 2 2}
    {connect_bd_net {-quiet} {-net -boundary_type} 2 99}
    {get_bd_intf_pins {-quiet} {-of_objects} 1 1}
    {get_bd_pins {-quiet} {-of_objects} 1 1}
    {get_bd_addr_segs {-quiet} {-of_objects} 1 1}
    {assign_bd_address {-quiet} {-offset -range -target_address_space} 1 1}
    {validate_bd_design {-force -quiet} {-design} 0 0}
    {save_bd_design {-quiet} {} 0 1}
    {make_wrapper {-top -testbench -import -force -quiet} {-files -fileset} 0 0}
    {launch_runs {-scripts_only -force -quiet} {-jobs -to_step} 1 1}
    {wait_on_run {-quiet} {-timeout} 1 1}
    {get_runs {-quiet} {-filter} 1 1}
    {open_run {-quiet} {-name} 1 1}
    {ipx::package_project {-import_files -force -set_current -quiet} {-root_dir -vendor -library -taxonomy} 0 0}
    {ipx::current_core {-quiet} {} 0 1}
    {ipx::get_bus_interfaces {-quiet} {-of_objects} 1 1}
    {ipx::create_xgui_files {-quiet} {} 1 1}
    {ipx::update_checksums {-quiet} {} 1 1}
    {ipx::save_core {-quiet} {} 1 1}
}
namespace eval ipx {}

proc check {name flags valued least most words} {
    set rest {}
    for {set i 0} {$i < [llength $words]} {incr i} {
        set word [lindex $words $i]
        if {$word in $flags} continue
        if {$word in $valued} {
            if {[incr i] >= [llength $words]} { error "$name: $word needs a value" }
        } elseif {[string match -* $word] && ![string is double $word]} {
            error "$name has no argument $word"
        } else { lappend rest $word }
    }
    set count [llength $rest]
    if {$count < $least || $count > $most} { error "$name takes $least to $most arguments, not $count" }
    puts $::record [concat $name $words]
    return $rest
}
foreach command $commands {
    lassign $command name flags valued least most
    proc $name {args} [format {
        set rest [check %s {%s} {%s} %s %s $args]
        if {[info commands does::%s] ne ""} { return [does::%s $args $rest] }
        return [join [concat %s $args] _]
    } $name $flags $valued $least $most [namespace tail $name] [namespace tail $name] $name]
}
proc version {option} {
    if {$option ne "-short"} { error "version has no argument $option" }
    return 2023.2
}

# what a command does that the script relies on
namespace eval does {
    proc readable {files} {
        foreach file $files { if {![file isfile $file]} { error "no file $file" } }
    }
    foreach name {read_verilog read_mem read_xdc} { proc $name {args rest} { readable $rest } }
    foreach name {add_files remove_files} { proc $name {args rest} { readable [lindex $rest 0] } }
    proc synth_design {args rest} {
        # names in $readmemh are relative
        if {![file isfile build_id.mem]} { error "memory files are not in the working directory" }
    }
    proc get_property {args rest} {
        return [expr {[lindex $rest 0] eq "PROGRESS" ? "100%" : $::slack}]
    }
    proc get_cells {args rest} { return {a b c} }
    proc write_bitstream {args rest} { file copy -force $::bitstream [lindex $rest 0] }
    proc create_project {args rest} { set ::project $rest }
    proc get_bus_interfaces {args rest} {
        # those that the top's attributes name
        set wrapper [open [glob [file join [file dirname $::script] *.v]]]
        set text [read $wrapper]
        close $wrapper
        return [expr {[regexp " [lindex $rest 0] \[A-Z\]+\"" $text] ? [lindex $rest 0] : ""}]
    }
    proc launch_runs {args rest} {
        lassign $::project name folder
        set run [file join $folder $name.runs $rest]
        file mkdir $run
        file copy -force $::bitstream [file join $run accelerator_wrapper.bit]
        set handoff [file join $folder $name.gen sources_1 bd accelerator hw_handoff]
        file mkdir $handoff
        close [open [file join $handoff accelerator.hwh] w]
    }
}

rename source _source
info script $script
_source $script
close $record
