"""The web pages of `everstep server`, see docs/console.md.

Rule: they know the service by its HTTP API alone, so nothing here imports the server or the service.

api        the calls, as whoever is signed in
sessions   who is signed in, and which forms are ours
timeline   an execution's history as a tree of operations with their spans
histories  timelines that are kept, and brought up to date
live       news of changes, to pages that are open
figures    what many histories say of a function
values     how times, payloads and statuses are written
style      the stylesheet, which stands in every page
searches   what the list is searched for
envelopes  what stages wrote in the place of payloads, for people
schemas    a value to begin with, by a schema
lists, executions, functions, actions, bulk, forks, comparisons   the pages, and what their forms do
app        all of it as an application
"""
