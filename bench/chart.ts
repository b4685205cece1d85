/** @module A chart of how many times better Conclave is than etcd, as SVG. */

/** A bar. */
export interface Bar {
  readonly name: string;
  /** How many times better: 1 is as good as etcd, whatever the unit. */
  readonly times: number;
  /** How many times better it should be; undefined: no matter. */
  readonly target: number | undefined;
}

const rowHeight = 22;
const labelWidth = 230;
const plotWidth = 480;
const headHeight = 34;
/** Twice as good and half as good are as far from the middle; what is further off than this is cut there. */
const octaves = 4;

function xOf(times: number): number {
  const octave = Math.max(-octaves, Math.min(octaves, Math.log2(times)));
  return labelWidth + (plotWidth * (octave + octaves)) / (2 * octaves);
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

function gridLines(height: number): readonly string[] {
  return Array.from({ length: 2 * octaves + 1 }, (_, at) => at - octaves).flatMap((octave) => {
    const x = xOf(2 ** octave);
    const text = octave < 0 ? `1/${2 ** -octave}` : String(2 ** octave);
    return [
      `<line x1="${x}" y1="${headHeight - 8}" x2="${x}" y2="${height}" stroke="${octave === 0 ? "#555" : "#ddd"}"/>`,
      `<text x="${x}" y="${headHeight - 14}" text-anchor="middle">${text}</text>`,
    ];
  });
}

function barLines({ name, times, target }: Bar, at: number): readonly string[] {
  const y = headHeight + at * rowHeight;
  const [from, to] = [xOf(Math.min(1, times)), xOf(Math.max(1, times))];
  const color = target !== undefined && times < target ? "#d08770" : "#5e81ac";
  const mark = target === undefined ? [] : [xOf(target)];
  return [
    `<text x="${labelWidth - 8}" y="${y + 14}" text-anchor="end">${escapeXml(name)}</text>`,
    `<rect x="${from}" y="${y + 3}" width="${Math.max(1, to - from)}" height="${rowHeight - 8}" fill="${color}"/>`,
    ...mark.map((x) => `<path d="M${x} ${y + 1}v${rowHeight - 4}" stroke="#2e3440" stroke-width="2"/>`),
    `<text x="${labelWidth + plotWidth + 8}" y="${y + 14}">${times.toFixed(2)}</text>`,
  ];
}

/** Draws bars, each from 1 (as good as etcd) to its figure, with a mark where its target is. */
export function drawChart(bars: readonly Bar[]): string {
  const height = headHeight + bars.length * rowHeight + 6;
  const width = labelWidth + plotWidth + 60;
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    "<title>How many times better than etcd</title>",
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...gridLines(height),
    ...bars.flatMap(barLines),
    "</svg>",
  ];
  return `${lines.join("\n")}\n`;
}
