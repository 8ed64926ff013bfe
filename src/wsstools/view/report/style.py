"""How the page looks: on a screen, light or dark, on a phone and on paper."""

STYLE = """
:root{--paper:#fff;--ink:#1f2328;--faint:#59606a;--rule:#d5d9de;--soft:#f4f6f8;--grid:#e3e6ea;
--line:#9aa1ab;--accent:#2563b0;--warn:#a83b00;--warn-paper:#fdf0e6;--plot-0:#2563b0;
--plot-1:#c2521a;--plot-2:#1b8057;--plot-3:#8848b5;--plot-4:#8a6d00;--plot-5:#0e7d93;
--plot-6:#b8326d;--plot-7:#616872;color-scheme:light dark}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0 auto;max-width:78rem;padding:clamp(1rem,4vw,3rem);background:var(--paper);
color:var(--ink);font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;
overflow-wrap:anywhere}
h1{font-size:clamp(1.6rem,5vw,2.3rem);line-height:1.2;margin:0 0 1rem;letter-spacing:-.015em}
h2{font-size:1.35rem;line-height:1.3;margin:3rem 0 .9rem;padding-top:.9rem;
border-top:1px solid var(--rule)}
h3{font-size:1.05rem;margin:1.6rem 0 .6rem}
h4{font-size:.92rem;margin:0 0 .4rem;font-weight:600}
h4 span{font-weight:400;color:var(--faint);margin-left:.6em}
h4 b{font-variant-numeric:tabular-nums}
p{margin:.6rem 0}
a{color:var(--accent)}
.lead{font-size:1.08rem;max-width:48rem}
nav{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;margin-top:1.2rem;font-size:.92rem}
.note,figcaption,.notes{color:var(--faint);font-size:.88rem}
.note,.notes,.missing{max-width:48rem}
.notes{padding-left:1.2rem}
.missing{color:var(--faint);font-style:italic;font-size:.92rem}
code{font:.88em ui-monospace,"SF Mono",Menlo,Consolas,monospace}
.scroll{overflow-x:auto;max-width:100%}
.scroll:focus-visible,summary:focus-visible,a:focus-visible{outline:2px solid var(--accent);
outline-offset:2px}
table{border-collapse:collapse;border-bottom:2px solid var(--ink);font-size:.94rem;
font-variant-numeric:tabular-nums;overflow-wrap:normal}
.table>figcaption{margin:0 0 .4rem}
thead th{border-top:2px solid var(--ink);border-bottom:1px solid var(--ink);font-weight:600;
vertical-align:bottom}
th,td{padding:.3rem .75rem;text-align:right;white-space:nowrap}
.left{text-align:left}
tbody th{font-weight:400;position:sticky;left:0;background:var(--paper)}
.left span{display:inline-block;width:max-content;max-width:min(40vw,20rem);white-space:normal;
overflow-wrap:break-word;vertical-align:top}
tbody+tbody{border-top:1px solid var(--rule)}
tbody tr:hover>*{background:var(--soft)}
.strong>*{font-weight:650}
.group th{text-align:left;font-weight:600;color:var(--faint);font-size:.88rem;padding-top:.7rem}
.group span{position:sticky;left:.75rem}
.slip{color:var(--warn);background:var(--warn-paper);padding:.05em .35em;border-radius:.25em}
.figures{display:grid;gap:1.2rem 2rem;align-items:start;
grid-template-columns:repeat(auto-fit,minmax(min(100%,18rem),1fr))}
.figures>*{min-width:0}
figure{margin:.6rem 0}
.figures>figure:not(.table){max-width:30rem}
.beside{display:flex;flex-wrap:wrap;gap:0 3rem;align-items:flex-start}
.beside>.table{flex:0 1 auto;min-width:0;max-width:100%}
.beside>figure:not(.table)+.table{flex:1 1 26rem}
.beside>figure:not(.table){flex:1 1 19rem;max-width:30rem;min-width:0}
figcaption{margin-top:.4rem}
.plot{display:block;width:100%;height:auto}
details{margin:.35rem 0;border:1px solid var(--rule);border-radius:.5rem;padding:0 .9rem}
details[open]{padding-bottom:.7rem}
summary{cursor:pointer;padding:.45rem 0}
summary code{color:var(--faint)}
.facts{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1.2rem;margin:1rem 0;
font-size:.94rem}
.facts dt{color:var(--faint)}
.facts dd{margin:0}
.chain,.chain ul{list-style:none;margin:.2rem 0;padding-left:.9rem;
border-left:2px solid var(--rule)}
.chain p{margin:.15rem 0;font-size:.92em}
.options span{display:inline-block;font:.82em ui-monospace,"SF Mono",Menlo,Consolas,monospace;
background:var(--soft);border-radius:.25em;padding:.05em .4em;margin:.1em 0}
.digest{color:var(--faint);font-size:.85em}
.strip{margin:0 0 1.4rem}
.cells{display:grid;gap:.5rem;grid-template-columns:repeat(auto-fit,minmax(min(46%,9.5rem),1fr))}
.cells figure{margin:0;min-width:0;max-width:20rem}
.cells img{display:block;width:100%;height:auto;border-radius:.25rem}
.cells figcaption{margin-top:.15rem;font-size:.8rem}
.absent{display:grid;place-items:center;aspect-ratio:4/3;border:1px dashed var(--line);
border-radius:.25rem;color:var(--faint);font-size:.85rem}
.legend{display:flex;flex-wrap:wrap;gap:.3rem 1.1rem;list-style:none;padding:0;font-size:.88rem}
.legend i{display:inline-block;width:1em;height:1em;margin-right:.45em;vertical-align:-.12em;
border:1px solid var(--line);border-radius:.15em}
@media (max-width:34rem){
.facts{grid-template-columns:1fr;gap:0}
.facts dd{margin-bottom:.5rem}
th,td{padding:.3rem .5rem}
.group span{left:.5rem}
details{padding:0 .6rem}
.chain,.chain ul{padding-left:.45rem}
}
@media screen and (prefers-color-scheme:dark){
:root{--paper:#15181c;--ink:#e6e9ed;--faint:#a0a8b2;--rule:#353b43;--soft:#20252b;--grid:#2a3037;
--line:#6b7480;--accent:#7db3ff;--warn:#ffb27d;--warn-paper:#3a2415;--plot-0:#6aa5ee;
--plot-1:#f0854a;--plot-2:#4bbf8c;--plot-3:#c08ae6;--plot-4:#cfae2c;--plot-5:#3fb7cf;
--plot-6:#f070a8;--plot-7:#a4acb6}
}
@media print{
@page{margin:16mm}
body{max-width:none;padding:0;font-size:10pt}
nav{display:none}
h2{margin-top:1.6rem}
h2,h3,h4,.table>figcaption,.note:has(+h3){break-after:avoid}
figure:not(.table),tr,.strip,.legend,dt,dd{break-inside:avoid}
.scroll{overflow:visible}
thead th{white-space:normal}
tbody th{position:static;background:none}
.left span{max-width:9rem}
table{font-size:.85em}
th,td{padding:.15rem .4rem}
thead{display:table-header-group}
.beside{display:block}
.figures{grid-template-columns:1fr 1fr;gap:1rem 1.5rem}
.figures>figure:not(.table),.beside>figure:not(.table){max-width:10.5cm}
.plot{max-height:20cm}
.cells{grid-template-columns:repeat(5,1fr)}
details{border:0;padding:0;font-size:8pt}
details p,details .note{margin:.2rem 0;font-size:1em}
details::details-content{content-visibility:visible;display:block;block-size:auto}
summary{list-style:none;font-weight:600}
a{color:inherit;text-decoration:none}
.slip{border:1px solid}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
}
"""
"""Dark colours are for screens only, so that paper stays white."""
